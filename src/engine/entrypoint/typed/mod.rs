//! Typed functions: JSON goes in and comes out by the function's own WIT signature.
//!
//! # What JSON a WIT type is
//!
//! | WIT | JSON in | JSON out |
//! | --- | --- | --- |
//! | `bool` | `true`, `false` | the same |
//! | `s8` `s16` `s32` `u8` `u16` `u32` | a number without a fraction, in range; `1.0` is one | a number |
//! | `s64` `u64` | the same, or the number as decimal text | a number up to 2^53 - 1 from zero, text beyond: what every reader of JSON reads exactly |
//! | `f32` `f64` | a number, or the text `NaN`, `Infinity`, `-Infinity`; for an `f32` one that does not round to infinity | the same |
//! | `char` | text of one Unicode scalar value | the same |
//! | `string` | text | the same |
//! | `list<u8>` | base64 (RFC 4648, padded) as text, or an array of numbers | base64 |
//! | `list<T>` | an array | the same |
//! | `tuple<T, U>` | an array of exactly these | the same |
//! | `record` | an object of the fields as WIT names them (`unit-price`); those of a type `option` may be absent, others than these are errors | all fields, absent ones `null` |
//! | `variant` | `"case"`, or `{"case": value}` where the case holds something | the same |
//! | `enum` | the name as text | the same |
//! | `option<T>` | `null`, or the value; `{"some": value}` where `null` could be a value of `T` (`option<option<T>>`) | the same |
//! | `result<T, E>` | `{"ok": value}` or `{"err": value}`, `null` for a case without a type | the same |
//! | `result<T, E>` as the function's result | | the value; an `err` is a failure, with its JSON as the message |
//! | `flags` | an array of the names that are set, each once | the same, in WIT's order |
//! | no result | | `null` |
//! | resources, `future`, `stream`, `error-context` | refused when the function is deployed | |
//!
//! How a payload gives the parameters: [`Signature`]. What `list<u8>` costs: `direct`, `dynamic`.

mod misfit;
mod shape;
mod value;
mod wit;

mod expected;
mod parts;
mod read;
mod schema;
mod write;

mod signature;

mod direct;
mod dynamic;

mod dice;
pub(in crate::engine) mod fuzz;

#[cfg(test)]
mod tests;

use wasmtime::Store;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex, Instance, InstancePre, Val};

pub use misfit::Misfit;
pub use signature::Signature;

use super::{End, Run, Standing, link};
use crate::engine::call::Reply;
use crate::engine::host::{Host, Linkers};
use crate::engine::output::TooLarge;
use crate::engine::refused::Refused;
use crate::model::entrypoint::ExportName;
use crate::model::outcome::{Advice, Failure, FailureKind};
use direct::{Direct, Function};
use signature::Returned;
use value::Value;

/// A typed function, ready to run.
pub(in crate::engine) struct Typed {
    name: ExportName,
    component: InstancePre<Host>,
    function: ComponentExportIndex,
    signature: Signature,
    /// How it is called without dynamic values, where it can be.
    direct: Option<Direct>,
}

/// The functions that a component exports, as they can be asked for. Those of resources are no functions of their own.
pub(super) fn callable(component: &Component) -> Vec<String> {
    let engine = component.engine();
    let mut names = Vec::new();
    for (name, export) in component.component_type().exports(engine) {
        match export.ty {
            ComponentItem::ComponentFunc(_) => names.push(name.to_owned()),
            ComponentItem::ComponentInstance(interface) => {
                let functions =
                    interface.exports(engine).filter(|(_, of)| matches!(of.ty, ComponentItem::ComponentFunc(_)));
                let plain = functions.filter(|(function, _)| !function.starts_with('['));
                names.extend(plain.map(|(function, _)| format!("{name}#{function}")));
            }
            _ => (),
        }
    }
    names
}

impl Typed {
    pub(super) fn new(linkers: &Linkers, component: &Component, wanted: &ExportName) -> Result<Self, Refused> {
        let missing = || Refused::MissingExport { wanted: wanted.clone(), callable: callable(component) };
        let (name, ty, function) = find(component, wanted).ok_or_else(missing)?;
        let unfit = |why: String| Refused::Unsupported {
            detail: format!("the function `{name}` cannot be called with JSON: {why}"),
        };
        let signature = Signature::of(name.parts().1, &ty).map_err(unfit)?;
        let direct = Direct::of(signature.params(), signature.result());
        let signature = if direct.is_some() { signature.with_bytes_as_they_are() } else { signature };
        Ok(Self { name, component: link(linkers, component)?, function, signature, direct })
    }

    pub(super) const fn name(&self) -> &ExportName {
        &self.name
    }

    pub(super) const fn signature(&self) -> &Signature {
        &self.signature
    }

    pub(super) async fn run(&self, mut run: Run<'_>) -> wasmtime::Result<End> {
        // What came from a caller was read before it was accepted; what comes from another function was not.
        let given = match self.signature.read(run.call.input.bytes()) {
            Ok(given) => given,
            Err(misfit) => {
                return Ok(Err(Failure::new(FailureKind::Permanent, misfit.to_string(), Advice::GiveUp)).into());
            }
        };
        let instance = run.component(&self.component).await?;
        let returned = self.call(run.store, &instance, given).await?;
        *run.standing = Some(Standing::Component(instance));
        match self.signature.returned(returned)? {
            Returned::Answer(body) if body.len() > run.call.result_bytes() => {
                Err(TooLarge(run.call.result_bytes()).into())
            }
            Returned::Answer(body) => {
                let content_type = "application/json".to_owned();
                Ok(Ok(Reply { content_type, body: body.into(), ..Reply::default() }).into())
            }
            Returned::Error(json) => {
                Ok(Err(Failure::retry(FailureKind::Retryable, String::from_utf8_lossy(&json))).into())
            }
        }
    }

    async fn call(
        &self,
        store: &mut Store<Host>,
        instance: &Instance,
        given: Vec<Value>,
    ) -> wasmtime::Result<Option<Value>> {
        if let Some(direct) = self.direct {
            return direct.call(store, Function { instance, index: &self.function }, &given).await;
        }
        let function = instance.get_func(&mut *store, self.function).ok_or(write::Mismatch)?;
        let params = self.signature.params().iter().zip(given);
        let params =
            params.map(|(param, value)| dynamic::to_val(&param.shape, value)).collect::<Result<Vec<_>, _>>()?;
        let Some(shape) = self.signature.result() else {
            function.call_async(store, &params, &mut []).await?;
            return Ok(None);
        };
        let mut results = [Val::Bool(false)]; // whatever: it is written over
        function.call_async(store, &params, &mut results).await?;
        let [result] = results;
        Ok(Some(dynamic::from_val(shape, result)?))
    }
}

/// The function of that name, and its whole name: an interface may be asked for without its version.
fn find(component: &Component, wanted: &ExportName) -> Option<(ExportName, ComponentFunc, ComponentExportIndex)> {
    let (interface, function) = wanted.parts();
    let mut name = wanted.clone();
    let mut within = interface.and_then(|interface| component.get_export_index(None, interface));
    if let (Some(interface), None) = (interface, &within) {
        let whole = newest(component, interface)?;
        name = format!("{whole}#{function}").parse().ok()?;
        within = Some(component.get_export_index(None, &*whole)?);
    }
    match component.get_export(within.as_ref(), function)? {
        (ComponentItem::ComponentFunc(ty), index) => Some((name, ty, index)),
        _ => None,
    }
}

/// The newest version of an interface that was asked for without one.
fn newest(component: &Component, interface: &str) -> Option<String> {
    let exports = component.component_type();
    let versions = exports.exports(component.engine()).filter_map(|(name, _)| {
        let version = name.strip_prefix(interface)?.strip_prefix('@')?;
        let number = |part: &str| part.parse::<u64>().unwrap_or_default();
        let release = version.split(['-', '+']).next().unwrap_or_default();
        // Of two with the same numbers the one that is no pre-release is newer.
        Some((release.split('.').map(number).collect::<Vec<_>>(), !version.contains('-'), name.to_owned()))
    });
    versions.max().map(|(.., name)| name)
}
