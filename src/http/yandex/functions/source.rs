//! Where the code of a version comes from: content that is sent, an object of a bucket of this server, or another version.
//! Code is a `.wasm`, or a zip with one in it.

use bytes::Bytes;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;
use tonic::Status;

use super::Functions;
use crate::delivery::Place;
use crate::http::package::{self, Limits, Unusable};
use crate::http::yandex::asked::Asked;
use crate::http::yandex::proto::functions as f;
use crate::http::yandex::proto::functions::create_function_version_request::PackageSource;
use crate::http::yandex::status::{self, invalid};
use crate::model::access::{Permission, ResourceKind, Scope};
use crate::model::bounds;
use crate::model::names::{Digest, Namespace, Qualifier};
use crate::model::object::{BucketName, ObjectKey};

/// Bytes of content, and of an object: that service's limit.
pub(super) const MAX_CONTENT_BYTES: usize = 52_428_800;
/// Files in a zip.
const MAX_FILES: usize = 10_000;

impl Functions {
    /// The module that a request sends or names. Of several in a zip it is the one that is called as the entrypoint's file.
    pub(super) async fn module(
        &self,
        asked: &Asked,
        namespace: &Namespace,
        source: Option<PackageSource>,
        entrypoint: &str,
    ) -> Result<Bytes, Status> {
        let (field, package) = match source {
            Some(PackageSource::Content(content)) => ("content", content),
            Some(PackageSource::Package(package)) => ("package", self.object(asked, namespace, package).await?),
            Some(PackageSource::VersionId(id)) => return self.module_of(asked, &id).await,
            None => {
                let why = "one of `package`, `content`, `version_id` is required";
                return Err(invalid("package_source", why));
            }
        };
        let file = entrypoint.rsplit_once('.').map_or("", |(file, _)| file).to_owned();
        let unpacked = spawn_blocking(move || unpacked(&package, &file, bounds::MAX_MODULE_BYTES)).await;
        unpacked
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
            .map_err(|why| invalid(field, why))
    }

    /// The code of another version, for whoever may see it.
    async fn module_of(&self, asked: &Asked, id: &str) -> Result<Bytes, Status> {
        let (function, version) = self.version(asked, id, Permission::FunctionsView)?;
        let module = self.runtime.module(&function.path, &Qualifier::Version(version.number)).await;
        module.map_err(status::status)
    }

    async fn object(&self, asked: &Asked, namespace: &Namespace, package: f::Package) -> Result<Bytes, Status> {
        let f::Package { bucket_name, object_name, sha256 } = package;
        let bucket: BucketName = bucket_name.parse().map_err(|error| invalid("package.bucket_name", error))?;
        let key: ObjectKey = object_name.parse().map_err(|error| invalid("package.object_name", error))?;
        let scope = Scope::Resource(ResourceKind::Bucket, namespace.clone(), bucket.to_string());
        asked.check(&self.runtime, Permission::ValuesRead, &scope)?;
        let place = Place { namespace: namespace.clone(), bucket, key };
        let mut content = self.runtime.object(place).await.map_err(status::status)?;
        if content.bytes > MAX_CONTENT_BYTES as u64 {
            let why = format!("has {} bytes, and must have <={MAX_CONTENT_BYTES}", content.bytes);
            return Err(invalid("package.object_name", why));
        }
        let mut whole = Vec::new();
        while let Some(piece) = content.pieces.next().await {
            let unread = |error| Status::unavailable(format!("package.object_name: it could not be read: {error}"));
            whole.extend_from_slice(&piece.map_err(unread)?);
        }
        check_digest(&whole, &sha256)?;
        Ok(whole.into())
    }
}

fn check_digest(bytes: &[u8], sha256: &str) -> Result<(), Status> {
    if sha256.is_empty() {
        return Ok(());
    }
    let digest = Digest::from_bytes(Sha256::digest(bytes).into()).to_string();
    if sha256.eq_ignore_ascii_case(&digest) {
        return Ok(());
    }
    Err(invalid("package.sha256", format!("the object's is {digest}")))
}

/// The module in a package, of up to `limit` bytes; or what is wrong with the package.
fn unpacked(package: &Bytes, file: &str, limit: usize) -> Result<Bytes, String> {
    let limits = Limits { files: MAX_FILES, module_bytes: limit };
    package::module(package, file, limits).map_err(|unusable| match unusable {
        Unusable::Unreadable(error) => format!("it is neither a .wasm nor a zip that can be read: {error}"),
        Unusable::TooManyFiles(files) => format!("the zip has {files} files, and may have {MAX_FILES}"),
        Unusable::NotOne(_) => {
            "the zip must have one file that ends in .wasm, or one that is called as the entrypoint's file".to_owned()
        }
        Unusable::TooLarge(module) => {
            format!("`{}` has more than {limit} bytes", module.chars().take(100).collect::<String>())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::package::zipped;

    #[track_caller]
    fn check(files: &[(&str, &[u8])], expected: Result<&[u8], &str>) {
        match (unpacked(&zipped(files), "index", 1_000), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn the_module_of_a_zip_is_its_only_one_or_the_one_that_the_entrypoint_names() {
        check(&[("a.wasm", b"a"), ("readme", b"")], Ok(b"a"));
        check(&[("a.wasm", b"a"), ("dir/index.wasm", b"b")], Ok(b"b"));
        check(&[("a.wasm", b"a"), ("b.wasm", b"b")], Err("one file that ends in .wasm"));
        check(&[("index.py", b"")], Err("one file that ends in .wasm"));
        check(&[("a.wasm", &[0; 2_000])], Err("more than 1000 bytes"));
        let found = unpacked(&Bytes::from_static(b"print(1)"), "index", 1_000);
        assert!(found.unwrap_err().contains("neither a .wasm nor a zip"));
        assert_eq!(unpacked(&Bytes::from_static(b"\0asm"), "", 9).unwrap(), "\0asm");
    }
}
