//! Who asks a service for something, and what is noted of it: what both doors (gRPC and REST) bring with a request.

use std::sync::{Arc, OnceLock};

use prost::Name;
use tonic::{Request, Status};

use super::{proto, rules, status};
use crate::access::Caller;
use crate::model::access::{Permission, Scope};
use crate::runtime::Runtime;

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) caller: Caller,
    /// The host that the client reached us under, without a port.
    pub(super) host: String,
    /// What is changed, for the log of changes.
    on: Arc<OnceLock<String>>,
}

impl Asked {
    pub(super) fn new(caller: Caller, host: String) -> Self {
        Self { caller, host, on: Arc::default() }
    }

    /// Says what is about to be changed; the first word counts.
    pub(super) fn changes(&self, on: impl Into<String>) {
        drop(self.on.set(on.into()));
    }

    /// What was changed, or was to be.
    pub(super) fn changed(&self) -> String {
        self.on.get().cloned().unwrap_or_default()
    }

    /// Refuses what whoever asks may not do.
    pub(super) fn check(&self, runtime: &Runtime, permission: Permission, on: &Scope) -> Result<(), Status> {
        runtime.access().allows(&self.caller, permission, on).map_err(status::not_allowed)
    }

    /// The name that what it begins is kept under.
    pub(super) fn name(&self) -> String {
        match &self.caller {
            Caller::Account(who) => who.id.to_string(),
            Caller::Nobody | Caller::Trusted => String::new(),
        }
    }
}

/// Takes a request apart once it is as `proto/` says that it must be.
pub(super) fn taken<M: Name>(request: Request<M>) -> Result<(Asked, M), Status> {
    let (asked, message) = unchecked(request)?;
    rules::check(&proto::dynamic(&message))?;
    Ok((asked, message))
}

/// The same for whoever looks at the fields itself, since the message is large.
pub(super) fn unchecked<M>(request: Request<M>) -> Result<(Asked, M), Status> {
    let asked = request.extensions().get::<Asked>().cloned();
    let asked = asked.ok_or_else(|| Status::internal("nobody has said who asks"))?;
    Ok((asked, request.into_inner()))
}
