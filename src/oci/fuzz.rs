//! What has to be true of whatever a registry sends: it is refused in a sentence, or what it has is a module.

use bytes::Bytes;
use oci_client::manifest::OciManifest;

use super::{layer, manifest};

/// Takes the first byte for what is sent: a manifest or a layer.
pub(crate) fn sent(input: &[u8]) {
    let Some((kind, sent)) = input.split_first() else { return };
    let read = if kind % 2 == 0 {
        manifest::read(sent).and_then(|manifest| match manifest {
            OciManifest::Image(image) => manifest::module_layer(&image).map(drop),
            OciManifest::ImageIndex(index) => manifest::of_index(&index).map(drop),
        })
    } else {
        layer::unpack(&Bytes::copy_from_slice(sent)).map(|module| assert!(module.starts_with(layer::MODULE)))
    };
    if let Err(told) = read {
        assert!(!told.is_empty() && told.chars().count() < 2_000, "{} bytes are told", told.len());
    }
}
