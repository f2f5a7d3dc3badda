//! What a version is to be, as a client says it: which fields there are, of which type, and what each may be. Those that
//! the runtime has no use for (networks, graphics cards, tags, ...) are kept with the version and returned as they came.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::{Code, FssError};
use super::json::{Fields, missing};
use crate::model::function::Limits;

/// Characters of a description.
pub(super) const MAX_DESCRIPTION: usize = 512;
/// Memory that a function may be given, in MB.
const MEMORY_MB: [i64; 13] = [128, 256, 512, 768, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584, 4096];
/// Seconds that an attempt may take.
const TIMEOUT_S: std::ops::RangeInclusive<i64> = 3..=259_200;
/// Pairs in `user_data`.
const MAX_USER_DATA: usize = 20;
/// Bytes of `user_data`.
const MAX_USER_DATA_BYTES: usize = 4_096;
/// What a runtime's name begins with, before its version.
const RUNTIMES: [&str; 7] = ["Java", "Python", "Go", "Node.js", "C#(.NET Core ", "PHP", "Cangjie"];
/// Runtimes that have no version. Their handler is `-` where the code is what listens.
const OTHER_RUNTIMES: [&str; 3] = ["Custom", "http", "Custom Image"];

/// Of which type a field is.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Integer,
    Flag,
    List,
    Object,
    Any,
}

/// Every field that is kept with a version: its name, type, and the code of what is wrong with it.
static FIELDS: &[(&str, Kind, Code)] = &[
    ("runtime", Kind::Text, Code::RUNTIME),
    ("timeout", Kind::Integer, Code::TIME),
    ("handler", Kind::Text, Code::HANDLER),
    ("memory_size", Kind::Integer, Code::MEMORY),
    ("gpu_memory", Kind::Integer, Code::INVALID_PARAMETER),
    ("gpu_type", Kind::Text, Code::INVALID_PARAMETER),
    ("ephemeral_storage", Kind::Integer, Code::INVALID_PARAMETER),
    ("user_data", Kind::Text, Code::USER_DATA),
    ("encrypted_user_data", Kind::Text, Code::USER_DATA),
    ("description", Kind::Text, Code::DESCRIPTION),
    ("type", Kind::Text, Code::INVALID_PARAMETER),
    ("xrole", Kind::Text, Code::INVALID_PARAMETER),
    ("app_xrole", Kind::Text, Code::INVALID_PARAMETER),
    ("enterprise_project_id", Kind::Text, Code::INVALID_PARAMETER),
    ("func_vpc", Kind::Object, Code::INVALID_PARAMETER),
    ("mount_config", Kind::Object, Code::INVALID_PARAMETER),
    ("strategy_config", Kind::Object, Code::INVALID_PARAMETER),
    ("custom_image", Kind::Object, Code::INVALID_PARAMETER),
    ("depend_version_list", Kind::List, Code::INVALID_PARAMETER),
    ("initializer_handler", Kind::Text, Code::INITIALIZER),
    ("initializer_timeout", Kind::Integer, Code::INITIALIZER_TIME),
    ("pre_stop_handler", Kind::Text, Code::INVALID_PARAMETER),
    ("pre_stop_timeout", Kind::Integer, Code::INVALID_PARAMETER),
    ("restore_hook_handler", Kind::Text, Code::INVALID_PARAMETER),
    ("restore_hook_timeout", Kind::Integer, Code::INVALID_PARAMETER),
    ("heartbeat_handler", Kind::Text, Code::INVALID_PARAMETER),
    ("log_config", Kind::Object, Code::INVALID_PARAMETER),
    ("network_controller", Kind::Object, Code::INVALID_PARAMETER),
    ("is_stateful_function", Kind::Flag, Code::INVALID_PARAMETER),
    ("is_bridge_function", Kind::Flag, Code::INVALID_PARAMETER),
    ("is_return_stream", Kind::Flag, Code::INVALID_PARAMETER),
    ("bind_bridge_funcs", Kind::List, Code::INVALID_PARAMETER),
    ("enable_dynamic_memory", Kind::Flag, Code::INVALID_PARAMETER),
    ("enable_auth_in_header", Kind::Flag, Code::INVALID_PARAMETER),
    ("enable_class_isolation", Kind::Flag, Code::INVALID_PARAMETER),
    ("enable_lts_log", Kind::Flag, Code::INVALID_PARAMETER),
    ("lts_custom_tag", Kind::Any, Code::INVALID_PARAMETER),
    ("domain_names", Kind::Any, Code::INVALID_PARAMETER),
    ("peering_cidr", Kind::Text, Code::INVALID_PARAMETER),
    ("resource_id", Kind::Text, Code::INVALID_PARAMETER),
    ("extend_config", Kind::Text, Code::INVALID_PARAMETER),
    ("tags", Kind::Any, Code::INVALID_PARAMETER),
    ("user_data_encrypt_kms_key_id", Kind::Text, Code::INVALID_PARAMETER),
    ("code_encrypt_kms_key_id", Kind::Text, Code::INVALID_PARAMETER),
];

/// What a client says of a version, checked.
#[derive(Clone, Debug, Default)]
pub(super) struct Settings {
    /// Every field that was sent, as it was sent.
    pub(super) fields: Map<String, Value>,
    /// The variables that the function is to have; `None` where nothing was said of them.
    pub(super) environment: Option<BTreeMap<String, String>>,
    /// What `strategy_config` says of instances: how many, -1 for any number, 0 for none.
    pub(super) instances: Option<i64>,
}

impl Settings {
    /// Reads and checks what a version must have and what it may have.
    pub(super) fn read(body: &Fields) -> Result<Self, FssError> {
        for name in ["runtime", "timeout", "handler", "memory_size"] {
            if body.value(name).is_none() {
                let code = FIELDS.iter().find(|(its, ..)| *its == name).map_or(Code::INVALID_PARAMETER, |it| it.2);
                return Err(missing(code, name));
            }
        }
        let mut fields = Map::new();
        for (name, kind, code) in FIELDS {
            kind.check(body, name).map_err(|error| error.coded(*code))?;
            if let Some(value) = body.value(name) {
                fields.insert((*name).to_owned(), value.clone());
            }
        }
        check_runtime_and_handler(body)?;
        check_numbers(body)?;
        check_description(body.text("description")?)?;
        check_initializer(body)?;
        check_nested(body)?;
        Ok(Self { fields, environment: environment(body)?, instances: instances(body)? })
    }

    /// What one attempt may use, where a version so far has `limits`.
    pub(super) fn limits(&self, limits: Limits) -> Result<Limits, FssError> {
        let number = |name: &str| self.fields.get(name).and_then(Value::as_u64).unwrap_or_default();
        let (memory, timeout) = (number("memory_size") * 1_024 * 1_024, Duration::from_secs(number("timeout")));
        let checked = Limits::new(memory, timeout, None).map_err(|error| FssError::parameter(error.to_string()))?;
        Ok(Limits { memory_bytes: checked.memory_bytes, timeout: checked.timeout, ..limits })
    }

    /// A field that is text.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Kind {
    fn check(self, body: &Fields, name: &str) -> Result<(), FssError> {
        match self {
            Self::Text => body.text(name).map(drop),
            Self::Integer => body.integer(name).map(drop),
            Self::Flag => body.boolean(name).map(drop),
            Self::List => body.list(name).map(drop),
            Self::Object => body.object(name).map(drop),
            Self::Any => Ok(()),
        }
    }
}

/// A description, of whatever it is.
pub(super) fn check_description(text: Option<&str>) -> Result<(), FssError> {
    let characters = text.map_or(0, |text| text.chars().count());
    if characters <= MAX_DESCRIPTION {
        return Ok(());
    }
    let message = format!("`description` has {characters} characters: use up to {MAX_DESCRIPTION}");
    Err(FssError::new(Code::DESCRIPTION, message))
}

fn check_runtime_and_handler(body: &Fields) -> Result<(), FssError> {
    let runtime = body.text("runtime")?.unwrap_or_default();
    let is_version = |rest: &str| {
        let rest = rest.trim_end_matches(')');
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.chars().all(|c| c.is_ascii_digit() || c == '.' || c == 'x')
    };
    let is_versioned = RUNTIMES.iter().any(|name| runtime.strip_prefix(name).is_some_and(is_version));
    if !is_versioned && !OTHER_RUNTIMES.contains(&runtime) {
        let message = format!(
            "`runtime` is `{}`: use one of the service's, such as `Custom`, `http`, `Python3.10`, `Go1.x` or `Node.js18.15`; \
             the module runs here whichever it is",
            short(runtime)
        );
        return Err(FssError::new(Code::RUNTIME, message));
    }
    check_handler("handler", body, OTHER_RUNTIMES.contains(&runtime)).map_err(|error| error.coded(Code::HANDLER))
}

/// `FILE.ENTRY`, or `-` where that may be.
fn check_handler(name: &str, body: &Fields, or_none: bool) -> Result<(), FssError> {
    let Some(handler) = body.text(name)? else { return Ok(()) };
    let fits = (3..=128).contains(&handler.len()) && handler.split('.').all(|part| !part.is_empty());
    if (fits && handler.contains('.') && !handler.chars().any(char::is_whitespace)) || (or_none && handler == "-") {
        return Ok(());
    }
    let message =
        format!("`{name}` is `{}`: use `FILE.ENTRY`, such as `index.handler`, of 3 to 128 bytes", short(handler));
    Err(FssError::parameter(message))
}

fn check_numbers(body: &Fields) -> Result<(), FssError> {
    let timeout = body.integer("timeout")?.unwrap_or_default();
    if !TIMEOUT_S.contains(&timeout) {
        let message = format!("`timeout` is {timeout}: use {} to {} seconds", TIMEOUT_S.start(), TIMEOUT_S.end());
        return Err(FssError::new(Code::TIME, message));
    }
    let memory = body.integer("memory_size")?.unwrap_or_default();
    if !MEMORY_MB.contains(&memory) {
        let all = MEMORY_MB.map(|one| one.to_string()).join(", ");
        return Err(FssError::new(Code::MEMORY, format!("`memory_size` is {memory}: use one of {all}, in MB")));
    }
    Ok(())
}

fn check_initializer(body: &Fields) -> Result<(), FssError> {
    check_handler("initializer_handler", body, false).map_err(|error| error.coded(Code::INITIALIZER))?;
    within(body, "initializer_timeout", 1..=300).map_err(|error| error.coded(Code::INITIALIZER_TIME))?;
    check_handler("pre_stop_handler", body, false)?;
    within(body, "pre_stop_timeout", 1..=90)
}

fn check_nested(body: &Fields) -> Result<(), FssError> {
    if let Some(kind) = body.text("type")?.filter(|kind| !matches!(*kind, "v1" | "v2")) {
        return Err(FssError::parameter(format!("`type` is `{}`: use `v1` or `v2`", short(kind))));
    }
    if let Some(vpc) = body.object("func_vpc")? {
        for name in ["vpc_id", "subnet_id"] {
            vpc.text(name)?.ok_or_else(|| missing(Code::INVALID_PARAMETER, &vpc.name(name)))?;
        }
    }
    if let Some(mount) = body.object("mount_config")? {
        mount.object("mount_user")?;
        mount.list("func_mounts")?;
    }
    Ok(())
}

fn within(body: &Fields, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<(), FssError> {
    match body.integer(name)?.filter(|number| !range.contains(number)) {
        None => Ok(()),
        Some(number) => {
            let message = format!("`{}` is {number}: use {} to {}", body.name(name), range.start(), range.end());
            Err(FssError::parameter(message))
        }
    }
}

/// What `strategy_config` says of instances.
fn instances(body: &Fields) -> Result<Option<i64>, FssError> {
    let Some(strategy) = body.object("strategy_config")? else { return Ok(None) };
    within(&strategy, "concurrent_num", 1..=1_000)?;
    let instances = strategy.integer("concurrency")?;
    instances.map(|number| check_instances(&strategy.name("concurrency"), number)).transpose()
}

/// How many instances there may be: -1 for any number, 0 for none.
pub(super) fn check_instances(name: &str, number: i64) -> Result<i64, FssError> {
    let most = i64::from(*crate::model::bounds::CONCURRENCY.end());
    if (-1..=most).contains(&number) {
        return Ok(number);
    }
    let message = format!("`{name}` is {number}: use 1 to {most}, -1 for any number, or 0 to disable the function");
    Err(FssError::parameter(message))
}

/// The variables of `user_data` and of `encrypted_user_data`; `None` where there is neither.
pub(super) fn environment(body: &Fields) -> Result<Option<BTreeMap<String, String>>, FssError> {
    let mut all: Option<BTreeMap<String, String>> = None;
    for name in ["user_data", "encrypted_user_data"] {
        if let Some(text) = body.text(name)? {
            all.get_or_insert_default().extend(variables(name, text)?);
        }
    }
    let count = all.as_ref().map_or(0, BTreeMap::len);
    if count > MAX_USER_DATA {
        let message = format!("`user_data` has {count} variables: use up to {MAX_USER_DATA}");
        return Err(FssError::new(Code::USER_DATA_ITEMS, message));
    }
    Ok(all)
}

fn variables(name: &str, text: &str) -> Result<BTreeMap<String, String>, FssError> {
    if text.trim().is_empty() {
        return Ok(BTreeMap::new()); // how a client takes them all away
    }
    if text.len() > MAX_USER_DATA_BYTES {
        let message = format!("`{name}` has {} bytes: use up to {MAX_USER_DATA_BYTES}", text.len());
        return Err(FssError::new(Code::USER_DATA_SIZE, message));
    }
    serde_json::from_str(text).map_err(|error| {
        let form = r#"send an object of strings as text, such as "{\"NAME\": \"value\"}""#;
        FssError::new(Code::USER_DATA, format!("`{name}` cannot be read: {error}; {form}"))
    })
}

/// What was sent, in a refusal.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body(changes: &Value) -> Fields {
        let mut body = json!({ "runtime": "Custom", "timeout": 3, "handler": "index.handler", "memory_size": 128 });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        Fields::of(body.to_string().as_bytes()).unwrap()
    }

    #[track_caller]
    fn check(changes: &Value, expected: Option<Code>) {
        let read = Settings::read(&body(changes));
        assert_eq!(read.as_ref().err().map(|error| error.code), expected, "{changes}: {read:?}");
    }

    #[test]
    fn every_rule_of_a_field_has_its_code() {
        check(&json!({}), None);
        check(&json!({ "runtime": "Python3.9" }), None);
        check(&json!({ "runtime": "C#(.NET Core 3.1)" }), None);
        check(&json!({ "runtime": "Node.js18.15", "timeout": 259_200, "memory_size": 4096 }), None);
        check(&json!({ "runtime": "Rust1" }), Some(Code::RUNTIME));
        check(&json!({ "runtime": "Python" }), Some(Code::RUNTIME));
        check(&json!({ "runtime": 3 }), Some(Code::RUNTIME));
        check(&json!({ "runtime": null }), Some(Code::RUNTIME));
        check(&json!({ "timeout": 2 }), Some(Code::TIME));
        check(&json!({ "timeout": 259_201 }), Some(Code::TIME));
        check(&json!({ "timeout": "3" }), Some(Code::TIME));
        check(&json!({ "memory_size": 129 }), Some(Code::MEMORY));
        check(&json!({ "memory_size": 1.5 }), Some(Code::MEMORY));
        check(&json!({ "handler": "index" }), Some(Code::HANDLER));
        check(&json!({ "handler": "-" }), None);
        check(&json!({ "runtime": "Python3.9", "handler": "-" }), Some(Code::HANDLER));
        check(&json!({ "handler": ".a" }), Some(Code::HANDLER));
        check(&json!({ "handler": format!("a.{}", "b".repeat(127)) }), Some(Code::HANDLER));
        check(&json!({ "description": "d".repeat(513) }), Some(Code::DESCRIPTION));
        check(&json!({ "description": 1 }), Some(Code::DESCRIPTION));
        check(&json!({ "user_data": "{\"A\": 1}" }), Some(Code::USER_DATA));
        check(&json!({ "user_data": "[]" }), Some(Code::USER_DATA));
        check(&json!({ "user_data": {} }), Some(Code::USER_DATA));
        check(&json!({ "user_data": json!({ "A": "b".repeat(4_100) }).to_string() }), Some(Code::USER_DATA_SIZE));
        let many: Map<_, _> = (0..21).map(|n| (format!("N{n}"), "v".into())).collect();
        check(&json!({ "user_data": Value::Object(many).to_string() }), Some(Code::USER_DATA_ITEMS));
        check(&json!({ "initializer_handler": "init" }), Some(Code::INITIALIZER));
        check(&json!({ "initializer_timeout": 301 }), Some(Code::INITIALIZER_TIME));
        check(&json!({ "initializer_timeout": 0 }), Some(Code::INITIALIZER_TIME));
        check(&json!({ "pre_stop_timeout": 91 }), Some(Code::INVALID_PARAMETER));
        check(&json!({ "func_vpc": { "vpc_id": "v" } }), Some(Code::INVALID_PARAMETER));
        check(&json!({ "func_vpc": "v" }), Some(Code::INVALID_PARAMETER));
        check(&json!({ "type": "v3" }), Some(Code::INVALID_PARAMETER));
        check(&json!({ "strategy_config": { "concurrency": -2 } }), Some(Code::INVALID_PARAMETER));
        check(&json!({ "strategy_config": { "concurrency": 0, "concurrent_num": 1 } }), None);
    }

    #[test]
    fn what_is_of_no_use_here_is_kept_and_variables_become_the_environment() {
        let sent = json!({
            "func_vpc": { "vpc_id": "v", "subnet_id": "s", "cidr": "10.0.0.0/8" }, "gpu_memory": 1024,
            "tags": [{ "key": "a", "value": "b" }], "user_data": "{\"A\": \"b\"}", "unheard_of": 1,
        });
        let settings = Settings::read(&body(&sent)).unwrap();
        for name in ["func_vpc", "gpu_memory", "tags", "user_data"] {
            assert_eq!(settings.fields[name], sent[name], "{name}");
        }
        assert!(!settings.fields.contains_key("unheard_of"));
        assert_eq!(settings.environment.unwrap()["A"], "b");
        assert_eq!(Settings::read(&body(&json!({}))).unwrap().environment, None);
    }
}
