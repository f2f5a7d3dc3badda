//! Raw functions: a core module is given bytes in its memory and points at bytes in it. The least there can be.
//!
//! It exports `memory`, `alloc: (len: i32) -> i32`, which says where so many bytes may be put, and the function itself,
//! `(ptr: i32, len: i32) -> i64`: where the payload is, and in return where the result is, `ptr << 32 | len`. If it exports
//! `_initialize`, that is called first. Numbers are unsigned. Nothing is ever freed:
//! where a version has its instances used again, payload and result are done with when `alloc` is called for the next.

use wasmtime::{
    AsContextMut, Extern, ExternType, FuncType, Instance, InstancePre, Module, ModuleExport, Store, ValType,
};

use super::{End, Run, Standing, link_core};
use crate::engine::call::Reply;
use crate::engine::host::{Host, Linkers};
use crate::engine::output::TooLarge;
use crate::engine::refused::Refused;
use crate::model::entrypoint::ExportName;
use crate::model::outcome::{Failure, FailureKind};

/// A raw function, ready to run.
pub(in crate::engine) struct Raw {
    name: ExportName,
    module: InstancePre<Host>,
    initialize: Option<ModuleExport>,
    memory: ModuleExport,
    alloc: ModuleExport,
    function: ModuleExport,
}

const MEMORY: &str = "memory";
const ALLOC: &str = "alloc";
const INITIALIZE: &str = "_initialize";

/// The functions of a module that can be called like this.
pub(super) fn callable(module: &Module) -> Vec<String> {
    if !has_memory(module) || !is_alloc(module) {
        return Vec::new();
    }
    module.exports().filter(|export| is_raw(&export.ty())).map(|export| export.name().to_owned()).collect()
}

impl Raw {
    pub(super) fn new(linkers: &Linkers, module: &Module, name: &ExportName) -> Result<Self, Refused> {
        let wrong = |export: &str, expected| Refused::WrongSignature { export: export.to_owned(), expected };
        match module.get_export(name.as_str()) {
            Some(ty) if is_raw(&ty) => (),
            Some(_) => {
                let expected =
                    "it must be a function from (ptr: i32, len: i32) to i64, which is `ptr << 32 | len` of the result";
                return Err(wrong(name.as_str(), expected));
            }
            None => return Err(Refused::MissingExport { wanted: name.clone(), callable: callable(module) }),
        }
        if !has_memory(module) {
            return Err(wrong(MEMORY, "a raw function needs this export, a memory of 32 bits"));
        }
        if !is_alloc(module) {
            return Err(wrong(ALLOC, "a raw function needs this export, a function from (len: i32) to i32"));
        }
        let missing = || wrong(name.as_str(), "it cannot be found again");
        let find = |export| module.get_export_index(export).ok_or_else(missing);
        Ok(Self {
            initialize: module
                .get_export(INITIALIZE)
                .filter(|ty| is_function(ty, &[], &[]))
                .and_then(|_| module.get_export_index(INITIALIZE)),
            memory: find(MEMORY)?,
            alloc: find(ALLOC)?,
            function: find(name.as_str())?,
            module: link_core(linkers, module)?,
            name: name.clone(),
        })
    }

    pub(super) const fn name(&self) -> &ExportName {
        &self.name
    }

    async fn instantiate(&self, store: &mut Store<Host>) -> wasmtime::Result<Instance> {
        let instance = self.module.instantiate_async(&mut *store).await?;
        if let Some(initialize) = &self.initialize {
            let initialize = function(&instance, &mut *store, initialize)?.typed::<(), ()>(&*store)?;
            initialize.call_async(&mut *store, ()).await?;
        }
        Ok(instance)
    }

    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        let payload = run.call.input.bytes();
        let limit = run.call.result_bytes();
        let store = run.store;
        let instance = match run.standing.take() {
            Some(Standing::Core(instance)) => instance,
            _ => self.instantiate(store).await?,
        };
        run.meter.instantiated();
        let memory = instance.get_module_export(&mut *store, &self.memory).and_then(Extern::into_memory);
        let memory = memory.ok_or_else(|| wasmtime::Error::msg("`memory` is no memory"))?;
        let alloc = function(&instance, &mut *store, &self.alloc)?.typed::<u32, u32>(&*store)?;
        let len = u32::try_from(payload.len())?;
        let ptr = alloc.call_async(&mut *store, len).await?;
        if memory.write(&mut *store, ptr as usize, payload).is_err() {
            let size = memory.data_size(&*store);
            return Ok(outside(&format!("`{ALLOC}` put the payload of {len} bytes at {ptr}"), size));
        }
        let function = function(&instance, &mut *store, &self.function)?.typed::<(u32, u32), u64>(&*store)?;
        let packed = function.call_async(&mut *store, (ptr, len)).await?;
        let (ptr, len) = (usize::try_from(packed >> 32)?, usize::try_from(packed & u64::from(u32::MAX))?);
        let data = memory.data(&*store);
        let Some(result) = data.get(ptr..).and_then(|from| from.get(..len)) else {
            return Ok(outside(&format!("`{}` put its result of {len} bytes at {ptr}", self.name), data.len()));
        };
        if len > limit {
            return Err(TooLarge(limit).into());
        }
        *run.standing = Some(Standing::Core(instance));
        Ok(Ok(Reply { body: result.to_vec().into(), ..Reply::default() }).into())
    }
}

fn outside(what: &str, size: usize) -> End {
    let message = format!("{what}, which is outside its memory of {size} bytes");
    Err(Failure::retry(FailureKind::Trap, message)).into()
}

fn function(instance: &Instance, store: impl AsContextMut, export: &ModuleExport) -> wasmtime::Result<wasmtime::Func> {
    let function = instance.get_module_export(store, export).and_then(Extern::into_func);
    function.ok_or_else(|| wasmtime::Error::msg("an export is no function"))
}

fn has_memory(module: &Module) -> bool {
    matches!(module.get_export(MEMORY), Some(ExternType::Memory(memory)) if !memory.is_64())
}

fn is_alloc(module: &Module) -> bool {
    module.get_export(ALLOC).is_some_and(|ty| is_function(&ty, &[ValType::I32], &[ValType::I32]))
}

fn is_raw(ty: &ExternType) -> bool {
    is_function(ty, &[ValType::I32, ValType::I32], &[ValType::I64])
}

fn is_function(ty: &ExternType, params: &[ValType], results: &[ValType]) -> bool {
    let is = |ty: &FuncType| {
        ty.params().len() == params.len()
            && ty.results().len() == results.len()
            && ty.params().zip(params).all(|(a, b)| ValType::eq(&a, b))
            && ty.results().zip(results).all(|(a, b)| ValType::eq(&a, b))
    };
    matches!(ty, ExternType::Func(ty) if is(ty))
}
