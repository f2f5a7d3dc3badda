//! Looking after a store that nobody has open: check it, write it out, read it in, make it small, save what is left.
//!
//! A store is read here as it lies there, and never changed: what the index has not seen yet is taken in in memory,
//! and whatever is made anew is made in a directory of its own, checked, and exchanged with the old one in one step.
//! All of it goes through once, row by row; what is held in memory grows with the functions, not with the invocations.
//!
//! | file      | decides                                                               |
//! | --------- | --------------------------------------------------------------------- |
//! | `report`  | how what is wrong is told                                             |
//! | `offline` | opening a store without changing it                                   |
//! | `entries`, `rows`, `records`, `check` | whether a store is whole and agrees with itself |
//! | `item`    | what a store holds, apart from where and how                          |
//! | `read`    | every item of a store                                                 |
//! | `fresh`   | a new store made of items                                             |
//! | `beside`  | names beside the directory, and the step that exchanges two            |
//! | `form`    | items as lines of text                                                |
//! | `carried` | what lies in the directory beside the store                           |
//! | `export`, `import`, `compact` | a store written out, read in, made small          |
//! | `rebuild` | an index from nothing but the journal                                 |
//! | `repair`  | what is left of a damaged store, as a store                           |

mod report;

mod offline;

mod entries;
mod records;
mod rows;

mod check;

mod item;
mod read;

mod beside;
mod carried;
mod fresh;

mod form;

mod export;
mod import;

mod compact;

mod rebuild;
mod repair;

pub(crate) use check::{Checked, check};
pub(crate) use compact::{Compacted, compact};
pub(crate) use export::{Exported, export};
pub(crate) use import::{NotImported, import};
pub(crate) use repair::{Repair, repair};
pub(crate) use report::Finding;
