//! Which part of an image is the module, as its manifest says. Pure.

use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageIndex, OciImageManifest, OciManifest, WASM_LAYER_MEDIA_TYPE,
};

use crate::model::names::Digest;

/// The manifests that are understood, as a registry is told.
pub(super) const ACCEPT: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
                                 application/vnd.docker.distribution.manifest.v2+json, \
                                 application/vnd.docker.distribution.manifest.list.v2+json";
/// A module, in the CNCF's artifact.
const WASM: &str = "application/wasm";
/// The same in the form that came before the CNCF's and before the one that `oci-client` knows.
const OLD_WASM: &str = "application/vnd.module.wasm.content.layer.v1+wasm";

/// The layer that is to be pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

/// Reads a manifest, or a list of some.
pub(super) fn read(body: &[u8]) -> Result<OciManifest, String> {
    let manifest: OciManifest =
        serde_json::from_slice(body).map_err(|_| "its manifest is neither one of OCI nor one of Docker".to_owned())?;
    let known = match &manifest {
        OciManifest::Image(image) => {
            known(image.media_type.as_deref(), [OCI_IMAGE_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE])
        }
        OciManifest::ImageIndex(index) => {
            known(index.media_type.as_deref(), [OCI_IMAGE_INDEX_MEDIA_TYPE, IMAGE_MANIFEST_LIST_MEDIA_TYPE])
        }
    };
    known.map(|()| manifest)
}

fn known(media_type: Option<&str>, ours: [&str; 2]) -> Result<(), String> {
    match media_type.filter(|media_type| !ours.contains(media_type)) {
        Some(other) => Err(format!("its manifest is of the type `{}`", shown(other))),
        None => Ok(()),
    }
}

/// The digest of the manifest in a list that is meant: the one for WebAssembly, or the only one.
pub(super) fn of_index(index: &OciImageIndex) -> Result<String, String> {
    let is_wasm = |entry: &&ImageIndexEntry| {
        entry.platform.as_ref().is_some_and(|platform| {
            let architecture = platform.architecture.to_string();
            architecture.starts_with("wasm") || platform.os.to_string().starts_with("wasi")
        })
    };
    let only = || if let [only] = &*index.manifests { Some(only) } else { None };
    let entry = index.manifests.iter().find(is_wasm).or_else(only);
    let entry = entry.ok_or_else(|| {
        let platforms = index.manifests.iter().take(10).map(|entry| match &entry.platform {
            Some(platform) => shown(&format!("{}/{}", platform.os, platform.architecture)),
            None => "none".to_owned(),
        });
        format!(
            "none of its {} platforms is WebAssembly: {}",
            index.manifests.len(),
            platforms.collect::<Vec<_>>().join(", ")
        )
    })?;
    sha256(&entry.digest)?;
    Ok(entry.digest.clone())
}

/// The layer with the module: the only one of that type, or the only one that there is.
pub(super) fn module_layer(image: &OciImageManifest) -> Result<Layer, String> {
    let is_module = |layer: &&OciDescriptor| [WASM, WASM_LAYER_MEDIA_TYPE, OLD_WASM].contains(&&*layer.media_type);
    let modules: Vec<_> = image.layers.iter().filter(is_module).collect();
    let layer = match (&*modules, &*image.layers) {
        ([module], _) => module,
        ([], [only]) => only,
        ([], layers) => {
            return Err(format!("none of its {} layers is of the type `{WASM}`", layers.len()));
        }
        (many, _) => return Err(format!("it has {} layers of the type `{WASM}`, and one module is run", many.len())),
    };
    let bytes = u64::try_from(layer.size).map_err(|_| format!("its layer has a size of {}", layer.size))?;
    Ok(Layer { digest: sha256(&layer.digest)?, bytes })
}

/// Reads `sha256:` and 64 hexadecimal digits.
fn sha256(text: &str) -> Result<Digest, String> {
    let invalid = || format!("`{}` is no digest of SHA-256", shown(text));
    let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64).ok_or_else(invalid)?;
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
        *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
    }
    let digest = Digest::from_bytes(bytes);
    // Read leniently it could stand for what it is not.
    if digest.to_string() == digits { Ok(digest) } else { Err(invalid()) }
}

/// What a stranger wrote, as it is told.
fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    fn layer(media_type: &str) -> serde_json::Value {
        json!({ "mediaType": media_type, "digest": DIGEST, "size": 8 })
    }

    fn image(layers: &[serde_json::Value]) -> Result<Layer, String> {
        let config = layer("application/vnd.wasm.config.v0+json");
        let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers });
        match read(&serde_json::to_vec(&manifest).unwrap()) {
            Ok(OciManifest::Image(image)) => module_layer(&image),
            other => panic!("{other:?}"),
        }
    }

    fn index(platforms: &[Option<(&str, &str)>]) -> Result<String, String> {
        let entries = platforms.iter().map(|platform| {
            let platform = platform.map(|(os, architecture)| json!({ "os": os, "architecture": architecture }));
            let mut entry = layer(OCI_IMAGE_MEDIA_TYPE);
            if let Some(platform) = platform {
                entry["platform"] = platform;
            }
            entry
        });
        let index = json!({ "schemaVersion": 2, "manifests": entries.collect::<Vec<_>>() });
        match read(&serde_json::to_vec(&index).unwrap()) {
            Ok(OciManifest::ImageIndex(index)) => of_index(&index),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_layer_that_is_a_module_is_the_one() {
        for module in [WASM, WASM_LAYER_MEDIA_TYPE, OLD_WASM] {
            assert_eq!(image(&[layer("text/plain"), layer(module)]).unwrap().bytes, 8, "{module}");
        }
        assert!(image(&[layer("application/vnd.oci.image.layer.v1.tar+gzip")]).is_ok(), "the only one");
    }

    #[test]
    fn an_image_without_one_module_is_refused() {
        assert!(image(&[]).unwrap_err().contains("none of its 0 layers"));
        assert!(image(&[layer("a/b"), layer("a/c")]).unwrap_err().contains("none of its 2 layers"));
        assert!(image(&[layer(WASM), layer(WASM)]).unwrap_err().contains("2 layers"));
    }

    #[test]
    fn of_a_list_the_manifest_for_webassembly_is_taken() {
        assert_eq!(index(&[Some(("linux", "amd64")), Some(("wasip1", "wasm"))]).unwrap(), DIGEST);
        assert_eq!(index(&[None]).unwrap(), DIGEST);
        let told = index(&[Some(("linux", "amd64")), Some(("linux", "arm64"))]).unwrap_err();
        assert!(told.contains("linux/amd64, linux/arm64"), "{told}");
        assert!(index(&[]).unwrap_err().contains("none of its 0"));
    }

    #[test]
    fn what_is_no_manifest_and_no_digest_is_refused() {
        for text in ["", "{}", "[]", "{\"schemaVersion\":1}", "<html>"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        let other = json!({ "schemaVersion": 2, "mediaType": "a/b", "config": layer("x/y"), "layers": [] });
        assert!(read(&serde_json::to_vec(&other).unwrap()).unwrap_err().contains("`a/b`"));
        for text in ["", "sha256:", "sha512:aa", &DIGEST[..70], &DIGEST.to_uppercase(), &DIGEST.replace("aa", "+a")] {
            assert!(sha256(text).is_err(), "{text}");
        }
        assert_eq!(format!("sha256:{}", sha256(DIGEST).unwrap()), DIGEST);
    }
}
