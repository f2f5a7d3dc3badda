//! `/quotas`: how much a project has and may have.

use serde_json::json;

use super::functions::MAX_FUNCTIONS;
use super::request::Call;
use super::{Answer, json};
use crate::access::Caller;

/// Megabytes of code that a project may have: what its functions come to at most, each as large as one may be.
const MAX_CODE_MB: u64 = 20_000;

#[expect(clippy::unnecessary_wraps, reason = "it is one of the operations, which can fail")]
pub(super) fn list(call: &Call) -> Answer {
    let page = call.runtime.functions(&Caller::Trusted, Some(&call.project), None, usize::MAX);
    let bytes: u64 = page.functions.iter().map(|it| it.version.module_bytes).sum();
    let (count, code) = (page.functions.len(), bytes.div_ceil(1_024 * 1_024));
    Ok(json::ok(&json!({ "quotas": { "resources": [
        { "quota": MAX_FUNCTIONS, "used": count, "type": "fgs_func_num", "unit": "" },
        { "quota": MAX_CODE_MB, "used": code, "type": "fgs_func_code_size", "unit": "MB" },
    ] } })))
}
