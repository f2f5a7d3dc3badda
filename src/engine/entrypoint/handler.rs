//! Handlers: an event goes in, bytes or a typed failure come out. The types are those of `wit/function.wit`.

use std::time::Duration;

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentExportIndex, InstancePre};

use super::{End, Run, Standing, link};
use crate::engine::call::{Call, Reply};
use crate::engine::code::Code;
use crate::engine::host::{Host, Linkers};
use crate::engine::output::TooLarge;
use crate::engine::refused::Refused;
use crate::model::bounds;
use crate::model::outcome::{Advice, Failure, FailureKind};

use bindings::tidemill::function::types::{Event, Failure as Told};

/// Generated from the world.
mod bindings {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "tidemill:function/function",
        ownership: Borrowing { duplicate_if_necessary: false },
        exports: { default: async },
    });
}

/// A handler, ready to run.
pub(in crate::engine) struct Handler {
    component: InstancePre<Host>,
    handle: ComponentExportIndex,
}

/// Found in any version that is compatible with this one.
const INTERFACE: &str = "tidemill:function/handler@1.0.0";
/// The same, and the guest may do several things at once while it works.
const ASYNC_INTERFACE: &str = "tidemill:function/handler-async@1.0.0";
const HANDLE: &str = "handle";
const EXPECTED: &str = "it must be `handle: func(event: event) -> result<list<u8>, failure>` with the types of \
                        `tidemill:function/types@1.0.0`";

type Params<'a> = (Event<'a>,);
type Results = (Result<Vec<u8>, Told>,);

pub(super) fn is_offered_by(component: &Component) -> bool {
    find(component).is_some()
}

/// The export of one of the interfaces, or else a function of that name at the root.
fn find(component: &Component) -> Option<(ComponentItem, ComponentExportIndex)> {
    let interface = [INTERFACE, ASYNC_INTERFACE].iter().find_map(|name| component.get_export_index(None, name));
    match interface {
        Some(interface) => component.get_export(Some(&interface), HANDLE),
        None => component.get_export(None, HANDLE),
    }
}

impl Handler {
    pub(super) fn new(linkers: &Linkers, code: &Code) -> Result<Self, Refused> {
        let wrong = || Refused::WrongSignature { export: HANDLE.to_owned(), expected: EXPECTED };
        let Code::Component(component) = code else { return Err(wrong()) };
        let (item, handle) = find(component).ok_or_else(wrong)?;
        let linked = link(linkers, component)?;
        let ComponentItem::ComponentFunc(function) = item else { return Err(wrong()) };
        function.typecheck::<Params<'_>, Results>(&linked.instance_type()).map_err(|_| wrong())?;
        Ok(Self { component: linked, handle })
    }

    pub(super) async fn run(&self, mut run: Run<'_>) -> wasmtime::Result<End> {
        let instance = run.component(&self.component).await?;
        let handle = instance.get_typed_func::<Params<'_>, Results>(&mut *run.store, &self.handle)?;
        let chain: Vec<_> = run.call.identity.chain.iter().map(String::as_str).collect();
        let attributes = &run.call.identity.attributes;
        let attributes: Vec<_> = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let (told,) = handle.call_async(&mut *run.store, (event(run.call, &chain, &attributes),)).await?;
        *run.standing = Some(Standing::Component(instance));
        match told {
            Ok(body) if body.len() > run.call.result_bytes() => Err(TooLarge(run.call.result_bytes()).into()),
            Ok(body) => Ok(Ok(Reply { body: body.into(), ..Reply::default() }).into()),
            Err(told) => Ok(Err(failure(told)).into()),
        }
    }
}

fn event<'a>(call: &'a Call, chain: &'a [&'a str], attributes: &'a [(&'a str, &'a str)]) -> Event<'a> {
    let identity = &*call.identity;
    Event {
        id: &identity.invocation,
        function: &identity.function,
        version: identity.version,
        attempt: identity.attempt,
        content_type: &identity.content_type,
        accepted_ms: identity.accepted.as_ms(),
        deadline_ms: identity.deadline.as_ms(),
        chain,
        hop: identity.hop,
        traceparent: identity.traceparent.as_deref(),
        attributes,
        payload: call.input.bytes(),
    }
}

fn failure(told: Told) -> Failure {
    match told {
        Told::Retryable(message) => Failure::retry(FailureKind::Retryable, message),
        Told::Permanent(message) => Failure::new(FailureKind::Permanent, message, Advice::GiveUp),
        Told::Throttled(throttle) => {
            let pause = Duration::from_millis(throttle.delay_ms).min(bounds::MAX_THROTTLE);
            Failure::new(FailureKind::Throttled, throttle.message, Advice::Postpone(pause))
        }
    }
}
