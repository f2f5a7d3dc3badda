//! Memory for the bytes of a whole segment. It is the system's and goes back there at once: an allocator would keep sixteen
//! megabytes for later use, in a process that may have nothing more to do.

use std::io;
use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// So many bytes, zeros at first.
#[derive(Debug)]
pub(super) struct Buffer(MmapMut);

impl Buffer {
    pub(super) fn of(bytes: u32) -> io::Result<Self> {
        MmapMut::map_anon(bytes as usize).map(Self)
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}
