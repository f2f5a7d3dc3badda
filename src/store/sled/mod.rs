//! The index: a sorted map from small keys to small values on disk, safe against power cuts. Bytes in, bytes
//! out: knows no record, no journal and no model. Everything here blocks.
//!
//! It is one tree of sled, which costs some 8 us and 200 B of memory for each thing it holds. So entries are
//! packed in blocks, sorted and without their common prefixes, and a block is one thing to sled.
//!
//! Entries are written in windows: many changes at once, and with the last of them a mark that says how far
//! the caller has come. A window that was cut short is repeated; the second time gives what the first would
//! have given.
//!
//! | file     | decides                                                              |
//! | -------- | -------------------------------------------------------------------- |
//! | `error`  | what can go wrong, and what to do about it                           |
//! | `block`  | the bytes of a block                                                 |
//! | `pack`   | how entries are divided among blocks                                 |
//! | `changes`| many changes in one piece of memory                                  |
//! | `plan`   | which blocks a window rewrites, and what may be written apart        |
//! | `keys`   | what lies under which key of sled                                    |
//! | `tree`   | sled: one block, one batch; its panics are errors                    |
//! | `window` | how a window is divided into batches                                 |
//! | `disk`   | when what was written is durable                                     |
//! | `open`   | whether what is there may be opened; making a new one                |
//! | `range`  | entries in order, while others are written                           |
//! | `check`  | whether everything can be read                                       |
//! | `index`  | the index: one writer, many readers, and what a failure means        |

mod error;

mod block;
mod changes;
mod pack;
mod plan;

mod keys;
mod tree;

mod disk;
mod open;

mod window;

mod check;
mod range;

mod index;

pub(super) use {
    changes::Changes,
    error::IndexError,
    index::{Change, Direction, Index},
    range::Range,
};

/// The longest key of an entry.
pub(super) const MAX_KEY_BYTES: usize = 128;
/// The longest value of an entry.
pub(super) const MAX_VALUE_BYTES: usize = 256;
/// The longest value beside the entries, and the longest mark.
pub(super) const MAX_META_BYTES: usize = 1024;
