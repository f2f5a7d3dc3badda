//! `tidemill:function/invoke`: other functions, for guests that were granted them. The types are those of
//! `wit/invoke.wit`, which also says what each answer means.
//!
//! A guest waits for each call before it can make the next, so it has one under way and no more. What it waits for ends
//! with the guest: the host's part of a call is dropped at the deadline, and with it the answer that it waits for.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::{HasSelf, Linker};

use super::Host;
use crate::engine::asks::{Asks, Invoked, NotDone, Order, Queueing};
use crate::engine::call;
use crate::model::bounds;
use crate::model::invocation::PayloadInfo;
use crate::model::names::InvalidName;
use crate::model::place;
use crate::model::reference::FunctionReference;

use bindings::tidemill::function::invoke::{self as wit, Error, Failed, Options, Overloaded, Priority, Reply};

/// Generated from the interface.
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        interfaces: "import tidemill:function/invoke@1.0.0;",
        imports: { default: async },
    });
}

/// Offers it to components.
pub(super) fn add_to_linker(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    wit::add_to_linker::<_, HasSelf<_>>(linker, |host| host)
}

impl wit::Host for Host {
    async fn invoke(&mut self, function: String, payload: Vec<u8>, content_type: String) -> Result<Reply, Error> {
        let (desk, order) = self.order(&function, payload, content_type)?;
        let Invoked { id, reply } = desk.invoke(order).await?;
        Ok(answered(id, reply))
    }

    async fn enqueue(
        &mut self,
        function: String,
        payload: Vec<u8>,
        content_type: String,
        options: Options,
    ) -> Result<String, Error> {
        let (desk, order) = self.order(&function, payload, content_type)?;
        let queueing = Queueing {
            delay: Duration::from_millis(options.delay_ms),
            priority: match options.priority {
                Priority::High => place::Priority::High,
                Priority::Normal => place::Priority::Normal,
                Priority::Low => place::Priority::Low,
            },
            idempotency_key: options.idempotency_key,
        };
        Ok(desk.enqueue(order, queueing).await?)
    }
}

impl Host {
    /// What the guest asks for, if it may.
    fn order(&self, function: &str, payload: Vec<u8>, content_type: String) -> Result<(Arc<dyn Asks>, Order), NotDone> {
        let inward = self.inward.as_ref().ok_or_else(|| NotDone::Denied("nothing runs here".to_owned()))?;
        let reference: FunctionReference =
            function.parse().map_err(|error: InvalidName| NotDone::BadRequest(error.to_string()))?;
        let own = &inward.identity.namespace;
        let (path, qualifier) = reference.within(own);
        if !inward.grants().functions.iter().any(|grant| grant.covers(own, &path)) {
            let caller = &inward.identity.function;
            return Err(NotDone::Denied(format!(
                "`{caller}` is not granted the function `{path}`: deploy it with `--allow-function {path}`"
            )));
        }
        if !PayloadInfo::takes(&content_type) {
            let most = bounds::MAX_CONTENT_TYPE_BYTES;
            return Err(NotDone::BadRequest(format!("a content type has up to {most} visible ASCII characters")));
        }
        let caller = Arc::clone(&inward.identity);
        let order = Order { caller, path, qualifier, payload: payload.into(), content_type };
        Ok((Arc::clone(&inward.desk), order))
    }
}

fn answered(id: String, reply: call::Reply) -> Reply {
    let status = reply.head.map(|(status, _)| status.as_u16());
    Reply { id, content_type: reply.content_type, status, body: reply.body.into() }
}

impl From<NotDone> for Error {
    fn from(not_done: NotDone) -> Self {
        match not_done {
            NotDone::BadRequest(message) => Self::BadRequest(message),
            NotDone::Denied(message) => Self::Denied(message),
            NotDone::Failed { id, kind, message, answer } => {
                let answer = answer.map(|reply| answered(id.clone(), *reply));
                Self::Failed(Failed { id, kind: kind.to_owned(), message, answer })
            }
            NotDone::HopLimit(message) => Self::HopLimit(message),
            NotDone::NotFound(message) => Self::NotFound(message),
            NotDone::Overloaded { message, retry_after } => {
                let retry_after_ms = u64::try_from(retry_after.as_millis()).unwrap_or(u64::MAX);
                Self::Overloaded(Overloaded { message, retry_after_ms })
            }
            NotDone::TooLarge(message) => Self::TooLarge(message),
            NotDone::Unavailable(message) => Self::Unavailable(message),
        }
    }
}
