//! A function and a version for the tests of any room, with nothing special about them: each test sets what it is about.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::entrypoint::Entrypoint;
use super::function::{Function, Limits, Version};
use super::grant::Grants;
use super::names::{Digest, FunctionId, FunctionPath, Namespace};
use super::queue::QueueConfig;
use super::time::Timestamp;

/// The function `name` of the default namespace, whose newest version is the first. `byte` makes its id.
pub(crate) fn function(byte: u8, name: &str) -> Function {
    Function {
        id: FunctionId::new(Timestamp::from_ms(0), [byte; 10]),
        path: FunctionPath { namespace: Namespace::default(), name: name.parse().unwrap() },
        created: Timestamp::from_ms(0),
        latest: Some(NonZeroU32::MIN),
        aliases: BTreeMap::new(),
        async_config: None,
        version_configs: BTreeMap::new(),
        queue: QueueConfig::default(),
        annotations: BTreeMap::new(),
        weights: BTreeMap::new(),
        disabled: false,
    }
}

/// A first version of a command.
pub(crate) fn version() -> Version {
    Version {
        number: NonZeroU32::MIN,
        created: Timestamp::from_ms(0),
        digest: Digest::from_bytes([0; 32]),
        module_bytes: 0,
        entrypoint: Entrypoint::Command,
        arguments: Vec::new(),
        environment: BTreeMap::new(),
        limits: Limits::default(),
        grants: Grants::default(),
        debug_info: false,
        wants: Vec::new(),
        reuse: None,
        instance_concurrency: None,
        wasi_0_3: false,
        core_dump: false,
        annotations: BTreeMap::new(),
        cgi: false,
    }
}
