//! Which of a module's imports nothing provides: all of them, so that one deployment is enough to learn it.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, LinkerInstance, ResourceType};
use wasmtime::{Engine, Module, Store};

use super::host::{Host, Linkers};
use super::refused::Refused;
use super::scan::Outline;
use super::trap;

/// Refuses a core module for imports that nobody has under any type, before it is compiled: that may take minutes.
pub(super) fn refuse_unknown(linkers: &Linkers, engine: &Engine, outline: &Outline<'_>) -> Result<(), Refused> {
    let mut store = Store::new(engine, Host::empty());
    let mut is_unknown = |(module, name): &&(&str, &str)| linkers.core.get(&mut store, module, name).is_err();
    let unknown: Vec<_> = outline.imports.iter().filter(&mut is_unknown).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Refused::MissingImports { names: unknown.iter().map(|(module, name)| format!("{module}.{name}")).collect() })
}

/// The imports of a core module that the linker lacks, as `module.name`.
pub(super) fn missing_from_core(linkers: &Linkers, module: &Module, host: Host) -> Vec<String> {
    let mut store = Store::new(module.engine(), host);
    let missing = module.imports().filter(|import| linkers.core.get_by_import(&mut store, import).is_none());
    missing.map(|import| format!("{}.{}", import.module(), import.name())).collect()
}

/// The interfaces and functions that a component imports and the linker lacks.
///
/// A linker tells one at a time, so each that it tells is put in as a stub, and it is asked again. Empty when all
/// are there, or when what is amiss is not a missing import.
pub(super) fn missing_from_component(linkers: &Linkers, component: &Component) -> Vec<String> {
    let engine = component.engine();
    let mut linker = linkers.component.clone();
    let mut missing = Vec::new();
    while let Err(error) = linker.instantiate_pre(component) {
        let Some(name) = trap::missing_import(&error).filter(|name| !missing.contains(name)) else { break };
        let item = component.component_type().get_import(engine, &name).map(|import| import.ty);
        let stubbed = item.is_some_and(|item| stub(engine, &mut linker.root(), &name, &item).is_ok());
        missing.push(name);
        if !stubbed {
            break;
        }
    }
    missing
}

/// Stands for every resource of an interface that is missing.
struct Missing;

fn stub(
    engine: &Engine,
    linker: &mut LinkerInstance<'_, Host>,
    name: &str,
    item: &ComponentItem,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(_) => linker.func_new(name, |_, _, _, _| Err(wasmtime::Error::msg("a stub"))),
        ComponentItem::ComponentInstance(instance) => {
            let mut inner = linker.instance(name)?;
            instance.exports(engine).try_for_each(|(name, export)| stub(engine, &mut inner, name, &export.ty))
        }
        ComponentItem::Resource(_) => linker.resource(name, ResourceType::host::<Missing>(), |_, _| Ok(())),
        ComponentItem::Type(_) => Ok(()),
        ComponentItem::Component(_) | ComponentItem::CoreFunc(_) | ComponentItem::Module(_) => {
            Err(wasmtime::Error::msg("code cannot be imported"))
        }
    }
}
