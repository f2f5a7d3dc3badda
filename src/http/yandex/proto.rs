//! The messages and services of `proto/`, as the build script made Rust of them, and their descriptors. Decides nothing.

use std::sync::LazyLock;

use prost::Name;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::Any;

#[expect(
    clippy::pedantic,
    clippy::module_inception,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    unreachable_pub,
    reason = "the build script writes it; `proto/` says what it is"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/messages.rs"));
}

pub(super) use generated::google::rpc::Status as RpcStatus;
pub(super) use generated::yandex::cloud::serverless::containers::v1 as containers;
pub(super) use generated::yandex::cloud::serverless::functions::v1 as functions;
pub(super) use generated::yandex::cloud::{access, endpoint, iam::v1 as iam, operation};

/// What stands in front of the name of a message in an `Any`.
pub(super) const TYPE_URL: &str = "type.googleapis.com/";

/// Descriptors of everything in `proto/`, with its rules and REST paths.
pub(super) static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
    DescriptorPool::decode(bytes).expect("the build script has just compiled them")
});

/// A message as what can hold any.
pub(super) fn any_of(name: impl AsRef<str>, value: Vec<u8>) -> Any {
    Any { type_url: format!("{TYPE_URL}{}", name.as_ref()), value }
}

/// What a message is called.
pub(super) fn name_of<M: Name>(_: &M) -> String {
    M::full_name()
}

/// A message by its descriptor, for what goes through its fields whatever they are.
pub(super) fn dynamic<M: Name>(message: &M) -> DynamicMessage {
    let descriptor = POOL.get_message_by_name(&M::full_name()).expect("it was made of the same descriptors");
    let mut dynamic = DynamicMessage::new(descriptor);
    dynamic.transcode_from(message).expect("both were made of the same descriptors");
    dynamic
}
