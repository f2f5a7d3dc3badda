//! A look at a module before it is compiled: compiling cannot be interrupted, and takes more than proportionally longer
//! for some shapes of code.
//!
//! One pass from the first byte to the last. It counts, and builds nothing that grows with the module but the list of
//! its imports, which is bounded. What it cannot read it leaves to the validator.

mod types;

use std::borrow::Cow;
use std::ops::Range;

use wasmparser::{FunctionBody, ImportSectionReader, Imports, MemoryType, Operator, Parser, Payload, TableType};

use self::types::Row;
use super::refused::Refused;
use crate::model::bounds;

/// What can be seen from outside.
#[derive(Debug, Default)]
pub(super) struct Outline<'m> {
    /// What a core module imports, as module and name; empty for a component.
    pub(super) imports: Vec<(&'m str, &'m str)>,
    /// How much debug information there is.
    pub(super) debug: Debug,
}

/// How much debug information there is, at all levels together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Debug {
    pub(super) bytes: usize,
    line_bytes: usize,
    units: usize,
}

/// How custom sections with debug information are named.
pub(super) const DEBUG_SECTIONS: &str = ".debug_";

/// Reads a module's outline, and refuses what would take too long to compile or could never be instantiated.
pub(super) fn outline(module: &[u8]) -> Result<Outline<'_>, Refused> {
    within("the module", module.len(), bounds::MAX_MODULE_BYTES)?;
    let mut counts = Counts { module, ..Counts::default() };
    let mut outline = Outline::default();
    let is_component = Parser::is_component(module);
    for payload in Parser::new(0).parse_all(module) {
        let Ok(payload) = payload else { break };
        counts.add(&payload)?;
        if let Payload::ImportSection(imports) = payload
            && !is_component
        {
            outline.imports.extend(single(imports));
        }
    }
    outline.debug = counts.debug;
    Ok(outline)
}

/// The imports that stand alone. wasmtime takes no others: those that share a module's name or a type in a group of them are
/// refused by whoever compiles it.
fn single(imports: ImportSectionReader<'_>) -> impl Iterator<Item = (&str, &str)> {
    imports.into_iter().map_while(Result::ok).filter_map(|group| match group {
        Imports::Single(_, import) => Some((import.module, import.name)),
        Imports::Compact1 { .. } | Imports::Compact2 { .. } => None,
    })
}

/// How many imports a group of them is: as many as its bytes have room for.
fn imports_in(group: &Imports<'_>) -> u32 {
    match group {
        Imports::Single(..) => 1,
        Imports::Compact1 { items, .. } => items.count(),
        Imports::Compact2 { names, .. } => names.count(),
    }
}

/// What was counted so far, in all levels of the module together.
#[derive(Debug, Default)]
struct Counts<'m> {
    module: &'m [u8],
    depth: usize,
    inner: usize,
    functions: usize,
    exports: usize,
    imports: usize,
    types: usize,
    type_bytes: usize,
    custom_bytes: usize,
    debug: Debug,
}

impl Counts<'_> {
    fn add(&mut self, payload: &Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => self.enter()?,
            Payload::End(_) => self.depth = self.depth.saturating_sub(1),
            Payload::CodeSectionStart { count, .. } => self.functions(*count)?,
            Payload::ComponentCanonicalSection(functions) => self.functions(functions.count())?,
            Payload::CodeSectionEntry(body) => function(body)?,
            Payload::ExportSection(exports) => self.exports(exports.count())?,
            Payload::ComponentExportSection(exports) => self.exports(exports.count())?,
            Payload::ImportSection(imports) => {
                let mut groups = imports.clone().into_iter().map_while(Result::ok);
                groups.try_for_each(|group| self.imports(imports_in(&group)))?;
            }
            Payload::ComponentImportSection(imports) => self.imports(imports.count())?,
            Payload::TypeSection(types) => self.types(types.range(), Row::Core)?,
            Payload::CoreTypeSection(types) => self.types(types.range(), Row::CoreOfComponent)?,
            Payload::ComponentTypeSection(types) => self.types(types.range(), Row::Component)?,
            Payload::MemorySection(memories) => {
                within("the number of memories", memories.count() as usize, bounds::MAX_GUEST_MEMORIES)?;
                memories.clone().into_iter().map_while(Result::ok).try_for_each(memory)?;
            }
            Payload::TableSection(tables) => {
                within("the number of tables", tables.count() as usize, bounds::MAX_GUEST_TABLES)?;
                tables.clone().into_iter().map_while(Result::ok).try_for_each(|table| self::table(table.ty))?;
            }
            Payload::GlobalSection(globals) => {
                within("the number of globals", globals.count() as usize, bounds::MAX_MODULE_GLOBALS)?;
            }
            Payload::DataSection(segments) => {
                within("the number of data segments", segments.count() as usize, bounds::MAX_MODULE_SEGMENTS)?;
            }
            Payload::ElementSection(segments) => {
                within("the number of element segments", segments.count() as usize, bounds::MAX_MODULE_SEGMENTS)?;
            }
            Payload::CustomSection(section) => self.custom(section.name(), section.data())?,
            _ => (),
        }
        Ok(())
    }

    fn enter(&mut self) -> Result<(), Refused> {
        self.depth += 1;
        self.inner += 1;
        within("the nesting of components", self.depth, bounds::MAX_MODULE_NESTING)?;
        within("the number of modules within the component", self.inner, bounds::MAX_INNER_MODULES)
    }

    fn functions(&mut self, more: u32) -> Result<(), Refused> {
        add(&mut self.functions, more, "the number of functions", bounds::MAX_MODULE_FUNCTIONS)
    }

    fn exports(&mut self, more: u32) -> Result<(), Refused> {
        add(&mut self.exports, more, "the number of exports", bounds::MAX_MODULE_EXPORTS)
    }

    fn imports(&mut self, more: u32) -> Result<(), Refused> {
        add(&mut self.imports, more, "the number of imports", bounds::MAX_MODULE_IMPORTS)
    }

    fn types(&mut self, section: Range<usize>, row: Row) -> Result<(), Refused> {
        self.type_bytes += section.len();
        within("what describes types, in bytes,", self.type_bytes, bounds::MAX_TYPE_BYTES)?;
        let section = self.module.get(section).unwrap_or_default();
        let types = &mut self.types;
        types::count(section, row, |more| add(types, more, "the number of types", bounds::MAX_MODULE_TYPES))
    }

    fn custom(&mut self, name: &str, data: &[u8]) -> Result<(), Refused> {
        if let Some(kind) = name.strip_prefix(DEBUG_SECTIONS) {
            self.debug.add(kind, data);
            return Ok(());
        }
        self.custom_bytes += data.len();
        within("what is not code (custom sections), in bytes,", self.custom_bytes, bounds::MAX_CUSTOM_BYTES)
    }
}

impl Debug {
    fn add(&mut self, kind: &str, data: &[u8]) {
        self.bytes += data.len();
        match kind {
            "line" => self.line_bytes += data.len(),
            "info" => self.units += units(data),
            _ => (),
        }
    }

    /// Refuses what would take long to read at a trap: that is on a thread that other guests wait for.
    pub(super) fn refuse_too_large(self) -> Result<(), Refused> {
        within("the debug information, in bytes,", self.bytes, bounds::MAX_DEBUG_BYTES)?;
        within("the debug information on lines, in bytes,", self.line_bytes, bounds::MAX_DEBUG_LINE_BYTES)?;
        within("the number of units of the debug information", self.units, bounds::MAX_DEBUG_UNITS)
    }
}

/// How many units there are in a `.debug_info`: each begins with its length.
fn units(mut data: &[u8]) -> usize {
    let mut count = 0;
    while let Some((short, rest)) = data.split_first_chunk() {
        let short = u32::from_le_bytes(*short);
        let (length, rest) = match rest.split_first_chunk() {
            Some((long, rest)) if short == u32::MAX => (usize::try_from(u64::from_le_bytes(*long)).ok(), rest),
            _ => (usize::try_from(short).ok(), rest),
        };
        count += 1;
        data = length.and_then(|length| rest.get(length..)).unwrap_or_default();
    }
    count
}

fn add(count: &mut usize, more: u32, what: &'static str, limit: usize) -> Result<(), Refused> {
    *count = count.saturating_add(more as usize);
    within(what, *count, limit)
}

/// One function: its length, its locals, and how deep its blocks nest.
fn function(body: &FunctionBody<'_>) -> Result<(), Refused> {
    let at = || format!(" of the function at offset {:#x}", body.range().start);
    within_at("the code", body.range().len(), bounds::MAX_FUNCTION_BYTES, at)?;
    let Ok(locals) = body.get_locals_reader() else { return Ok(()) };
    let mut count = 0_usize;
    for (more, _) in locals.into_iter().map_while(Result::ok) {
        count = count.saturating_add(more as usize);
        within_at("the number of locals", count, bounds::MAX_FUNCTION_LOCALS, at)?;
    }
    let Ok(mut operators) = body.get_operators_reader() else { return Ok(()) };
    let mut depth = 0_usize;
    while let Ok(operator) = operators.read() {
        match operator {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } | Operator::TryTable { .. } => {
                depth += 1;
                within_at("the nesting of blocks", depth, bounds::MAX_BLOCK_NESTING, at)?;
            }
            Operator::End => depth = depth.saturating_sub(1),
            _ => (),
        }
    }
    Ok(())
}

fn memory(memory: MemoryType) -> Result<(), Refused> {
    let page = 1_u64.checked_shl(memory.page_size_log2.unwrap_or(16)).unwrap_or(u64::MAX);
    let bytes = memory.initial.saturating_mul(page);
    let most = usize::try_from(*bounds::MEMORY_BYTES.end()).unwrap_or(usize::MAX);
    within("the memory that it begins with, in bytes,", usize::try_from(bytes).unwrap_or(usize::MAX), most)
}

fn table(table: TableType) -> Result<(), Refused> {
    let elements = usize::try_from(table.initial).unwrap_or(usize::MAX);
    within("the number of elements of a table that it begins with", elements, bounds::MAX_GUEST_TABLE_ELEMENTS)
}

pub(super) fn within(what: &'static str, size: usize, limit: usize) -> Result<(), Refused> {
    within_at(what, size, limit, String::new)
}

fn within_at(what: &'static str, size: usize, limit: usize, at: impl Fn() -> String) -> Result<(), Refused> {
    if size <= limit {
        return Ok(());
    }
    let what = match at() {
        at if at.is_empty() => Cow::Borrowed(what),
        at => Cow::Owned(format!("{what}{at}")),
    };
    Err(Refused::TooLarge { what, size, limit })
}

#[cfg(test)]
mod tests;
