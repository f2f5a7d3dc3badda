//! A module out of a layer: the layer itself, or the only module in an archive (tar, and gzip around it), which is what
//! images are that were built for containers.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;

use crate::model::bounds;

/// How each module begins.
pub(super) const MODULE: &[u8] = b"\0asm";
/// How gzip begins.
const GZIP: &[u8] = &[0x1f, 0x8b];
/// Size of a block of an archive; each file begins at one.
const BLOCK: usize = 512;
/// Largest archive once it is unpacked: a module with what stands beside it.
const MAX_ARCHIVE: usize = 2 * bounds::MAX_MODULE_BYTES;

/// The module in a layer. Unpacks on a thread that may take its time.
pub(super) async fn module(layer: Bytes) -> Result<Bytes, String> {
    if layer.starts_with(MODULE) {
        return Ok(layer);
    }
    let unpacked = tokio::task::spawn_blocking(move || unpack(&layer)).await;
    unpacked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

pub(super) fn unpack(layer: &Bytes) -> Result<Bytes, String> {
    let archive = if layer.starts_with(GZIP) { gunzip(layer, MAX_ARCHIVE)? } else { layer.clone() };
    if archive.starts_with(MODULE) {
        return Ok(archive);
    }
    let module = only_module(&archive)?;
    if module.len() > bounds::MAX_MODULE_BYTES {
        return Err(format!("the module in it has {} bytes: use up to {}", module.len(), bounds::MAX_MODULE_BYTES));
    }
    Ok(module)
}

fn gunzip(layer: &[u8], most: usize) -> Result<Bytes, String> {
    let mut unpacked = Vec::new();
    // Tools that pack in parallel write several members, one after the other.
    let read = MultiGzDecoder::new(layer).take(most as u64 + 1).read_to_end(&mut unpacked);
    read.map_err(|error| format!("its layer cannot be unpacked: {error}"))?;
    if unpacked.len() > most {
        return Err(format!("its layer has more than {most} bytes once it is unpacked"));
    }
    Ok(unpacked.into())
}

/// The only file of an archive that is a module, whatever it is called.
fn only_module(archive: &Bytes) -> Result<Bytes, String> {
    let (mut at, mut found) = (0, None);
    while let Some(head) = archive.get(at..at + BLOCK).filter(|head| head.iter().any(|byte| *byte != 0)) {
        let not_one = || "its layer is neither a module nor an archive (tar) with one".to_owned();
        let size = size(head).ok_or_else(not_one)?;
        let from = at + BLOCK;
        let to = from.checked_add(size).filter(|to| *to <= archive.len()).ok_or_else(not_one)?;
        let is_file = matches!(head[156], 0 | b'0');
        if is_file && archive[from..to].starts_with(MODULE) && found.replace(from..to).is_some() {
            return Err("its layer has more than one module in it".to_owned());
        }
        at = to.div_ceil(BLOCK) * BLOCK;
    }
    found.map(|module| archive.slice(module)).ok_or_else(|| "there is no module in its layer".to_owned())
}

/// The size of a file, from the head that stands before it; `None` where that is none.
fn size(head: &[u8]) -> Option<usize> {
    let octal = |field: &[u8]| {
        let digits = std::str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
        usize::from_str_radix(digits, 8).ok()
    };
    // The sum over the head tells one from whatever else stands there; the sum itself counts as blanks.
    let sum: usize =
        head.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { usize::from(*byte) }).sum();
    octal(&head[148..156]).filter(|told| *told == sum)?;
    octal(&head[124..136])
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// A file in an archive.
    fn file(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut head = vec![0; BLOCK];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        head[156] = kind;
        head[148..156].fill(b' ');
        let sum: usize = head.iter().map(|byte| usize::from(*byte)).sum();
        head[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        head.extend_from_slice(content);
        head.resize(head.len().div_ceil(BLOCK) * BLOCK, 0);
        head
    }

    fn archive(files: &[Vec<u8>]) -> Bytes {
        let mut archive = files.concat();
        archive.resize(archive.len() + 2 * BLOCK, 0);
        archive.into()
    }

    fn gzip(content: &[u8]) -> Bytes {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(content).unwrap();
        packed.finish().unwrap().into()
    }

    #[tokio::test]
    async fn a_module_is_found_as_it_is_and_in_archives() {
        let wasm = b"\0asm\x01\0\0\0more".as_slice();
        let files = archive(&[file("etc/", b'5', b""), file("etc/a", b'0', b"text"), file("app", b'0', wasm)]);
        let members = [gzip(&files[..700]), gzip(&files[700..])].concat();
        for layer in [Bytes::from_static(wasm), gzip(wasm), files.clone(), gzip(&files), members.into()] {
            assert_eq!(module(layer).await.unwrap(), wasm);
        }
    }

    #[tokio::test]
    async fn what_has_no_module_or_several_or_is_torn_is_refused() {
        let wasm = b"\0asm\x01\0\0\0".as_slice();
        let torn = archive(&[file("app", b'0', &[wasm, &[1; 4_096]].concat())]).slice(..2_048);
        let packed = gzip(wasm);
        for (layer, told) in [
            (Bytes::new(), "no module"),
            (Bytes::from_static(b"#!/bin/sh"), "no module"),
            (Bytes::from(vec![7; 4_096]), "neither a module nor an archive"),
            (archive(&[file("a", b'0', b"text")]), "no module"),
            (archive(&[file("a", b'0', wasm), file("b", b'0', wasm)]), "more than one"),
            (torn, "neither a module nor an archive"),
            (packed.slice(..packed.len() - 10), "cannot be unpacked"),
        ] {
            let refused = module(layer).await.unwrap_err();
            assert!(refused.contains(told), "{refused}");
        }
    }

    #[test]
    fn an_archive_that_unpacks_to_too_much_is_refused() {
        let packed = gzip(&[0; 2_000]);
        assert_eq!(gunzip(&packed, 2_000).unwrap().len(), 2_000);
        for (packed, most) in [(packed.clone(), 1_999), ([packed.clone(), packed].concat().into(), 3_999)] {
            let refused = gunzip(&packed, most).unwrap_err();
            assert!(refused.contains(&format!("more than {most}")), "{refused}");
        }
    }
}
