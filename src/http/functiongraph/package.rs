//! Packages of code: where a request says that one is, and what is said of one that has no module. A package is a `.wasm`, or a
//! zip with one in it, whichever its `code_type` says it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::StreamExt as _;
use tokio::task::spawn_blocking;

use super::error::{Code, FssError};
use super::handler;
use super::json::{Fields, missing};
use super::request::Call;
use super::routes::MAX_PACKAGE_BYTES;
use crate::delivery::Place;
use crate::http::package::{self, Limits, Unusable};
use crate::model::access::{Permission, ResourceKind, Scope};
use crate::model::bounds;
use crate::model::object::{BucketName, ObjectKey};

/// Files in a zip.
const MAX_FILES: usize = 1_000;

/// The types that code can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CodeType {
    Inline,
    Zip,
    Jar,
    Obs,
}

impl CodeType {
    /// Reads `code_type`.
    pub(super) fn of(body: &Fields) -> Result<Self, FssError> {
        let text = body.text("code_type").map_err(|error| error.coded(Code::CODE_TYPE))?;
        match text.ok_or_else(|| missing(Code::CODE_TYPE, "code_type"))? {
            "inline" => Ok(Self::Inline),
            "zip" => Ok(Self::Zip),
            "jar" => Ok(Self::Jar),
            "obs" => Ok(Self::Obs),
            "Custom-Image-Swr" => {
                let message = "`code_type` is `Custom-Image-Swr`: images of containers are not run here; send a module";
                Err(FssError::new(Code::CODE_TYPE, message))
            }
            other => {
                let other: String = other.chars().take(60).collect();
                let message = format!("`code_type` is `{other}`: use `inline`, `zip`, `jar` or `obs`");
                Err(FssError::new(Code::CODE_TYPE, message))
            }
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Inline => "inline",
            Self::Zip => "zip",
            Self::Jar => "jar",
            Self::Obs => "obs",
        }
    }
}

/// The module that a request sends or names. Of several in a zip it is the one that the handler's FILE names.
pub(super) async fn module(call: &Call, body: &Fields, code_type: CodeType, handler: &str) -> Result<Bytes, FssError> {
    let package = match code_type {
        CodeType::Obs => object(call, body).await?,
        CodeType::Inline | CodeType::Zip | CodeType::Jar => {
            let text = code(body, "file")?.unwrap_or_default();
            if text.is_empty() {
                return Err(missing(Code::CODE_MISSING, "func_code.file"));
            }
            decoded(text.to_owned()).await?
        }
    };
    let file = handler::file(handler).to_owned();
    let unpacked = spawn_blocking(move || unpacked(&package, code_type, &file, bounds::MAX_MODULE_BYTES)).await;
    unpacked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// A member of `func_code`. It is tens of megabytes: nothing of it is copied.
fn code<'a>(body: &'a Fields, name: &str) -> Result<Option<&'a str>, FssError> {
    let wrong = |what: &str| FssError::new(Code::CODE, format!("`func_code{what}: send {{\"file\": BASE64}}"));
    let Some(code) = body.value("func_code") else { return Ok(None) };
    let code = code.as_object().ok_or_else(|| wrong("` is no object"))?;
    let member = code.get(name).filter(|member| !member.is_null());
    member.map(|member| member.as_str().ok_or_else(|| wrong(&format!(".{name}` is no string")))).transpose()
}

async fn decoded(text: String) -> Result<Bytes, FssError> {
    // Tens of megabytes are decoded on a thread that may take its time.
    let decoded = spawn_blocking(move || {
        // Some encoders break it into lines.
        let broken = text.contains(|c: char| c.is_ascii_whitespace());
        let text = if broken { text.split_ascii_whitespace().collect() } else { text };
        STANDARD.decode(text).map(Bytes::from)
    });
    let decoded = decoded.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    let wrong = |error| FssError::new(Code::CODE, format!("`func_code.file` is not base64: {error}"));
    within(decoded.map_err(wrong)?)
}

fn within(package: Bytes) -> Result<Bytes, FssError> {
    if package.len() <= MAX_PACKAGE_BYTES {
        return Ok(package);
    }
    let message = format!("the package has {} bytes: it may have {MAX_PACKAGE_BYTES}", package.len());
    Err(FssError::new(Code::PACKAGE_SIZE, message))
}

/// The object that `code_url` names, of a bucket of this server.
async fn object(call: &Call, body: &Fields) -> Result<Bytes, FssError> {
    let url = body.text("code_url").map_err(|error| error.coded(Code::CODE_URL))?;
    let link = code(body, "link")?;
    let url = url.or(link).filter(|url| !url.is_empty()).ok_or_else(|| missing(Code::CODE_URL, "code_url"))?;
    let (bucket, key) = place(url)?;
    let scope = Scope::Resource(ResourceKind::Bucket, call.project.clone(), bucket.to_string());
    call.runtime.check(&call.caller, Permission::ValuesRead, &scope)?;
    let mut content = call.runtime.object(Place { namespace: call.project.clone(), bucket, key }).await?;
    if content.bytes > MAX_PACKAGE_BYTES as u64 {
        let message = format!("the package has {} bytes: it may have {MAX_PACKAGE_BYTES}", content.bytes);
        return Err(FssError::new(Code::PACKAGE_SIZE, message));
    }
    let mut whole = Vec::new();
    while let Some(piece) = content.pieces.next().await {
        let unread = |error| FssError::new(Code::UNAVAILABLE, format!("`{url}` could not be read: {error}"));
        whole.extend_from_slice(&piece.map_err(unread)?);
    }
    within(whole.into())
}

/// The bucket and key of `https://BUCKET.HOST/KEY` or `obs://BUCKET/KEY`. Whose host it is does not matter: the bucket
/// is looked for here.
fn place(url: &str) -> Result<(BucketName, ObjectKey), FssError> {
    let wrong = |why: String| {
        let url: String = url.chars().take(200).collect();
        let form = "use `https://BUCKET.HOST/KEY` or `obs://BUCKET/KEY`, with a bucket of this server";
        FssError::new(Code::CODE_URL, format!("`{url}` names no object{why}: {form}"))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong(String::new()))?;
    let (host, key) = rest.split_once('/').ok_or_else(|| wrong(String::new()))?;
    let bucket = match scheme {
        "obs" => host,
        "http" | "https" => host.split_once('.').map(|(bucket, _)| bucket).ok_or_else(|| wrong(String::new()))?,
        _ => return Err(wrong(String::new())),
    };
    let bucket = bucket.parse().map_err(|error| wrong(format!(" ({error})")))?;
    Ok((bucket, key.parse().map_err(|error| wrong(format!(" ({error})")))?))
}

/// The module in a package, of up to `limit` bytes.
fn unpacked(package: &Bytes, code_type: CodeType, file: &str, limit: usize) -> Result<Bytes, FssError> {
    if code_type == CodeType::Inline && !package::is_module(package) {
        let message = "`func_code.file` is no WebAssembly module: functions are deployed here as .wasm, in base64";
        return Err(FssError::new(Code::CODE, message));
    }
    let limits = Limits { files: MAX_FILES, module_bytes: limit };
    package::module(package, file, limits).map_err(|unusable| refused(unusable, file, limits))
}

fn refused(unusable: Unusable, file: &str, limits: Limits) -> FssError {
    let (code, message) = match unusable {
        Unusable::Unreadable(error) => {
            (Code::FILE_TYPE, format!("the package is neither a .wasm nor a zip that can be read: {error}"))
        }
        Unusable::TooManyFiles(files) => {
            (Code::CODE, format!("the zip has {files} files: it may have {}", limits.files))
        }
        Unusable::NotOne(modules) => {
            let message = format!(
                "the zip must have one file that ends in .wasm, or one that is called `{file}.wasm` after the handler; it \
                 has {modules} of them"
            );
            (Code::CODE, message)
        }
        Unusable::TooLarge(module) => {
            let limit = limits.module_bytes;
            (Code::PACKAGE_SIZE, format!("`{module}` has more than {limit} bytes, which a module may have"))
        }
    };
    FssError::new(code, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::package::zipped;

    #[track_caller]
    fn check(files: &[(&str, &[u8])], expected: Result<&[u8], Code>) {
        let found = unpacked(&zipped(files), CodeType::Zip, "index", 1_000);
        assert_eq!(found.as_deref().map_err(|error| error.code), expected);
    }

    #[test]
    fn the_module_of_a_zip_is_its_only_one_or_the_one_that_the_handler_names() {
        check(&[("a.wasm", b"a"), ("readme", b"")], Ok(b"a"));
        check(&[("a.wasm", b"a"), ("index.wasm", b"b")], Ok(b"b"));
        check(&[("a.wasm", b"a"), ("dir/index.wasm", b"b")], Ok(b"b"));
        check(&[("a.wasm", b"a"), ("b.wasm", b"b")], Err(Code::CODE));
        check(&[("index.py", b"")], Err(Code::CODE));
        let unzipped = |bytes, code_type| unpacked(&Bytes::from_static(bytes), code_type, "", 1_000);
        assert_eq!(unzipped(b"\0asm...", CodeType::Zip).unwrap(), "\0asm...");
        assert_eq!(unzipped(b"print(1)", CodeType::Inline).unwrap_err().code, Code::CODE);
        assert_eq!(unzipped(b"print(1)", CodeType::Zip).unwrap_err().code, Code::FILE_TYPE);
    }

    #[test]
    fn a_zip_that_unpacks_to_more_than_a_module_may_have_is_refused_without_unpacking_all_of_it() {
        let bomb = vec![0; 100_000];
        assert!(zipped(&[("a.wasm", &bomb)]).len() < 1_000);
        check(&[("a.wasm", &bomb)], Err(Code::PACKAGE_SIZE));
    }

    #[test]
    fn an_address_of_an_object_has_its_bucket_first() {
        let ok = |url: &str| place(url).map(|(bucket, key)| format!("{bucket} {key}")).map_err(|error| error.code);
        assert_eq!(ok("https://code.obs.cn-north-1.myhuaweicloud.com/a/b.zip"), Ok("code a/b.zip".to_owned()));
        assert_eq!(ok("obs://code/a.wasm"), Ok("code a.wasm".to_owned()));
        for url in ["", "code/a", "https://code/a", "ftp://code.a/b", "obs://code", "obs://code/", "obs://A/b"] {
            assert_eq!(ok(url), Err(Code::CODE_URL), "{url}");
        }
    }
}
