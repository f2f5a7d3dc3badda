//! How many types a section has: those of each group and those declared within others too, since one of either kind may
//! hold a million.
//!
//! Nothing is built of what is counted, and types within types are not entered by recursion, which a component could make as
//! deep as it likes.

use wasmparser::{BinaryReader, ComponentType, ComponentTypeDeclaration, ModuleTypeDeclaration, Result, SubType};

use crate::engine::refused::Refused;

/// What stands in a row.
#[derive(Clone, Copy)]
pub(super) enum Row {
    /// Types of a core module, each one or a group.
    Core,
    /// Types of one group.
    Group,
    /// Core types of a component.
    CoreOfComponent,
    /// What the type of a core module declares.
    Module,
    /// Types of a component.
    Component,
    /// What the type of a component or of an instance declares.
    Declared,
}

/// Adds, to `count`, all that stands in a section: at the beginning of each row as many as are in it. What cannot be read is
/// left to the validator.
pub(super) fn count(
    section: &[u8],
    row: Row,
    mut count: impl FnMut(u32) -> std::result::Result<(), Refused>,
) -> std::result::Result<(), Refused> {
    let mut reader = BinaryReader::new(section, 0);
    let (mut rows, mut entered) = (Vec::new(), begin(&mut reader, row).map(Some));
    loop {
        match entered {
            Ok(Some((row, length))) => {
                count(length)?;
                rows.push((row, length));
            }
            Ok(None) => (),
            Err(_unreadable) => return Ok(()),
        }
        while rows.pop_if(|(_, left)| *left == 0).is_some() {}
        let Some((row, left)) = rows.last_mut() else { return Ok(()) };
        *left -= 1;
        entered = next(&mut reader, *row);
    }
}

/// The next of a row: read, or entered where it is a row itself.
fn next(reader: &mut BinaryReader<'_>, row: Row) -> Result<Option<(Row, u32)>> {
    let byte = reader.clone().read_u8()?;
    let within = match (row, byte) {
        (Row::Core, GROUP) => Row::Group,
        (Row::CoreOfComponent, MODULE) => Row::Module,
        (Row::Component, COMPONENT | INSTANCE) => Row::Declared,
        (Row::Core | Row::Group, _) => return reader.read::<SubType>().map(|_| None),
        (Row::Component, _) => return reader.read::<ComponentType<'_>>().map(|_| None),
        (Row::CoreOfComponent, NO_MODULE) | (Row::Module, TYPE) => {
            reader.read_u8()?;
            return next(reader, Row::Core);
        }
        (Row::CoreOfComponent, _) => return next(reader, Row::Core),
        (Row::Module, _) => return reader.read::<ModuleTypeDeclaration<'_>>().map(|_| None),
        (Row::Declared, CORE_TYPE) => {
            reader.read_u8()?;
            return next(reader, Row::CoreOfComponent);
        }
        (Row::Declared, TYPE) => {
            reader.read_u8()?;
            return next(reader, Row::Component);
        }
        (Row::Declared, _) => return reader.read::<ComponentTypeDeclaration<'_>>().map(|_| None),
    };
    reader.read_u8()?;
    begin(reader, within).map(Some)
}

fn begin(reader: &mut BinaryReader<'_>, row: Row) -> Result<(Row, u32)> {
    Ok((row, reader.read_var_u32()?))
}

/// What a row within a row begins with.
const GROUP: u8 = 0x4e;
const MODULE: u8 = 0x50;
const COMPONENT: u8 = 0x41;
const INSTANCE: u8 = 0x42;
/// What stands before a core type that would otherwise begin as the type of a module does.
const NO_MODULE: u8 = 0;
/// What declares a type, in the type of a component, an instance or a module; and what a core type, in the first two.
const TYPE: u8 = 1;
const CORE_TYPE: u8 = 0;
