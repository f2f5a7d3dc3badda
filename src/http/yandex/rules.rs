//! Whether a request is as `proto/` says that it must be: what is required, which texts, lengths, sizes and numbers may stand
//! where. Refuses with the name of the field. Knows no service.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use prost_reflect::{
    DynamicMessage, FieldDescriptor, MapKey, MessageDescriptor, OneofDescriptor, ReflectMessage as _, Value,
};
use regex::Regex;

use super::proto::POOL;

/// A field that is not as it must be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken {
    /// Where it stands: `async_invocation_config.retries_count`.
    pub(super) field: String,
    pub(super) why: String,
}

/// What holds of a field.
struct Rule {
    field: FieldDescriptor,
    required: bool,
    pattern: Option<Pattern>,
    length: Option<Within>,
    size: Option<Within>,
    value: Option<Within>,
    key_pattern: Option<Pattern>,
    key_length: Option<Within>,
}

/// The rules of a kind of message.
struct Rules {
    fields: Vec<Rule>,
    /// Of each of these one field must be there.
    one_of: Vec<OneofDescriptor>,
}

/// What a whole text matches.
struct Pattern {
    written: String,
    regex: Regex,
}

/// What a number is within.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Within {
    written: String,
    range: RangeInclusive<i64>,
}

static RULES: LazyLock<HashMap<String, Rules>> = LazyLock::new(|| {
    let messages = POOL.all_messages().filter(|message| !is_well_known(message));
    messages.map(|message| (message.full_name().to_owned(), Rules::of(&message))).collect()
});

fn is_well_known(message: &MessageDescriptor) -> bool {
    message.package_name() == "google.protobuf"
}

/// Refuses a message that breaks a rule, or that has one in it.
pub(super) fn check(message: &DynamicMessage) -> Result<(), Broken> {
    check_under("", message)
}

fn check_under(prefix: &str, message: &DynamicMessage) -> Result<(), Broken> {
    let descriptor = message.descriptor();
    let Some(rules) = RULES.get(descriptor.full_name()) else { return Ok(()) };
    for one_of in &rules.one_of {
        if !one_of.fields().any(|field| message.has_field(&field)) {
            let names: Vec<_> = one_of.fields().map(|field| format!("`{}`", field.name())).collect();
            let field = format!("{prefix}{}", one_of.name());
            return Err(Broken { field, why: format!("one of {} is required", names.join(", ")) });
        }
    }
    for rule in &rules.fields {
        rule.check(prefix, message)?;
    }
    for (field, value) in message.fields() {
        let name = format!("{prefix}{}", field.name());
        match value {
            Value::Message(inner) => check_under(&format!("{name}."), inner)?,
            Value::List(items) => {
                for (nth, item) in items.iter().enumerate() {
                    if let Value::Message(inner) = item {
                        check_under(&format!("{name}[{nth}]."), inner)?;
                    }
                }
            }
            _ => (),
        }
    }
    Ok(())
}

impl Rules {
    fn of(message: &MessageDescriptor) -> Self {
        let exactly_one = POOL.get_extension_by_name("tidemill.exactly_one");
        let is_one_of = |one_of: &OneofDescriptor| {
            exactly_one.as_ref().is_some_and(|extension| one_of.options().has_extension(extension))
        };
        Self {
            fields: message.fields().filter_map(Rule::of).collect(),
            one_of: message.oneofs().filter(is_one_of).collect(),
        }
    }
}

impl Rule {
    fn of(field: FieldDescriptor) -> Option<Self> {
        let options = field.options();
        let extension = POOL.get_extension_by_name("tidemill.rule")?;
        let rule = options.has_extension(&extension).then(|| options.get_extension(&extension).into_owned())?;
        let rule = rule.as_message()?.clone();
        let text = |name: &str| {
            let text = rule.get_field_by_name(name)?.as_str()?.to_owned();
            (!text.is_empty()).then_some(text)
        };
        let required = rule.get_field_by_name("required").is_some_and(|required| required.as_bool() == Some(true));
        Some(Self {
            field,
            required,
            pattern: text("pattern").map(Pattern::of),
            length: text("length").map(Within::of),
            size: text("size").map(Within::of),
            value: text("value").map(Within::of),
            key_pattern: text("key_pattern").map(Pattern::of),
            key_length: text("key_length").map(Within::of),
        })
    }

    fn check(&self, prefix: &str, message: &DynamicMessage) -> Result<(), Broken> {
        let name = format!("{prefix}{}", self.field.name());
        let is_there = message.has_field(&self.field);
        if !is_there {
            if self.required {
                return Err(Broken { field: name, why: "is required".to_owned() });
            }
            // What is absent is not looked at, but absent and empty are one for a text or a number.
            if self.field.supports_presence() {
                return Ok(());
            }
        }
        match message.get_field(&self.field).as_ref() {
            Value::List(items) => {
                within(&name, "elements", items.len(), self.size.as_ref())?;
                let mut named = items.iter().enumerate();
                named.try_for_each(|(nth, item)| self.check_one(&format!("{name}[{nth}]"), item))
            }
            Value::Map(entries) => {
                within(&name, "entries", entries.len(), self.size.as_ref())?;
                for (key, value) in entries {
                    self.check_key(&name, key)?;
                    self.check_one(&format!("{name}[{}]", told(key_text(key))), value)?;
                }
                Ok(())
            }
            value => self.check_one(&name, value),
        }
    }

    fn check_key(&self, name: &str, key: &MapKey) -> Result<(), Broken> {
        let text = key_text(key);
        within(name, "characters in a key", text.chars().count(), self.key_length.as_ref())?;
        matches(&format!("{name}: the key"), text, self.key_pattern.as_ref())
    }

    fn check_one(&self, name: &str, value: &Value) -> Result<(), Broken> {
        match value {
            Value::String(text) => {
                within(name, "characters", text.chars().count(), self.length.as_ref())?;
                matches(name, text, self.pattern.as_ref())
            }
            Value::Bytes(bytes) => within(name, "bytes", bytes.len(), self.length.as_ref()),
            Value::I64(number) => self.check_number(name, *number, ""),
            Value::I32(number) => self.check_number(name, i64::from(*number), ""),
            Value::Message(message) if message.descriptor().full_name() == "google.protobuf.Duration" => {
                self.check_duration(name, message)
            }
            _ => Ok(()),
        }
    }

    fn check_number(&self, name: &str, number: i64, unit: &str) -> Result<(), Broken> {
        match &self.value {
            Some(value) if !value.range.contains(&number) => {
                let why = format!("is {number}{unit}, and must be {}", value.told());
                Err(Broken { field: name.to_owned(), why })
            }
            _ => Ok(()),
        }
    }

    fn check_duration(&self, name: &str, duration: &DynamicMessage) -> Result<(), Broken> {
        let number = |field: &str| match duration.get_field_by_name(field).as_deref() {
            Some(Value::I64(number)) => *number,
            Some(Value::I32(number)) => i64::from(*number),
            _ => 0,
        };
        let (seconds, nanos) = (number("seconds"), number("nanos"));
        if !(0..1_000_000_000).contains(&nanos) {
            return Err(Broken { field: name.to_owned(), why: format!("has {nanos} ns: use 0 to 999999999") });
        }
        self.check_number(name, seconds, "s")?;
        if nanos > 0 && self.value.as_ref().is_some_and(|value| seconds >= *value.range.end()) {
            return self.check_number(name, seconds + 1, "s");
        }
        Ok(())
    }
}

impl Pattern {
    fn of(written: String) -> Self {
        let regex = Regex::new(&format!("^(?:{written})$")).expect("a test compiles every pattern in `proto/`");
        Self { written, regex }
    }
}

impl Within {
    /// Reads `<=9`, `>=9`, `>9`, `1-9` and `0s-9s`.
    fn of(written: String) -> Self {
        let number = |text: &str| text.trim_end_matches('s').parse().expect("a test reads every range in `proto/`");
        let range = if let Some(most) = written.strip_prefix("<=") {
            i64::MIN..=number(most)
        } else if let Some(least) = written.strip_prefix(">=") {
            number(least)..=i64::MAX
        } else if let Some(below) = written.strip_prefix('>') {
            number(below) + 1..=i64::MAX
        } else {
            let (least, most) = written.split_once('-').expect("a test reads every range in `proto/`");
            number(least)..=number(most)
        };
        Self { written, range }
    }

    fn told(&self) -> String {
        match self.written.split_once('-') {
            Some((least, most)) => format!("{least} to {most}"),
            None => self.written.clone(),
        }
    }
}

fn within(name: &str, what: &str, count: usize, range: Option<&Within>) -> Result<(), Broken> {
    let many = i64::try_from(count).unwrap_or(i64::MAX);
    match range {
        Some(range) if !range.range.contains(&many) => {
            let why = format!("has {count} {what}, and must have {}", range.told());
            Err(Broken { field: name.to_owned(), why })
        }
        _ => Ok(()),
    }
}

fn matches(name: &str, text: &str, pattern: Option<&Pattern>) -> Result<(), Broken> {
    match pattern {
        Some(pattern) if !pattern.regex.is_match(text) => {
            let why = format!("is `{}`, and must match `{}`", told(text), pattern.written);
            Err(Broken { field: name.to_owned(), why })
        }
        _ => Ok(()),
    }
}

fn key_text(key: &MapKey) -> &str {
    key.as_str().unwrap_or_default()
}

/// A text as a message may have it.
fn told(text: &str) -> String {
    let mut told: String = text.chars().take(100).collect();
    if told.len() < text.len() {
        told.push('…');
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::yandex::proto::{self, functions as f};

    #[track_caller]
    fn check<M: prost::Name>(message: &M, complaint: &str) {
        let told = super::check(&proto::dynamic(message)).map_err(|Broken { field, why }| format!("{field} {why}"));
        assert_eq!(told.err().as_deref().unwrap_or(""), complaint);
    }

    fn version() -> f::CreateFunctionVersionRequest {
        f::CreateFunctionVersionRequest {
            function_id: "f".into(),
            runtime: "wasm".into(),
            entrypoint: "a.b".into(),
            resources: Some(f::Resources { memory: 134_217_728 }),
            package_source: Some(f::create_function_version_request::PackageSource::VersionId("v".into())),
            ..Default::default()
        }
    }

    #[test]
    fn every_rule_of_every_message_can_be_read() {
        assert!(RULES.len() > 80, "{}", RULES.len());
        assert!(RULES.values().map(|rules| rules.fields.len()).sum::<usize>() > 100);
    }

    #[test]
    fn what_is_as_it_must_be_passes() {
        check(&version(), "");
        check(&f::CreateFunctionRequest { folder_id: "b1g".into(), name: String::new(), ..Default::default() }, "");
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_the_field_and_the_rule() {
        check(&f::GetFunctionRequest::default(), "function_id is required");
        let request = f::CreateFunctionRequest { folder_id: "b".into(), name: "A".into(), ..Default::default() };
        check(&request, "name is `A`, and must match `|[a-z][-a-z0-9]{1,61}[a-z0-9]`");
        let labels = [("Big".to_owned(), String::new())].into();
        let request = f::CreateFunctionRequest { folder_id: "b".into(), labels, ..Default::default() };
        check(&request, r"labels: the key is `Big`, and must match `[a-z][-_./\@0-9a-z]*`");
        let request = f::GetFunctionVersionByTagRequest { function_id: "f".into(), tag: String::new() };
        check(&request, "tag is ``, and must match `[a-z][-_0-9a-z]*|[$]latest`");
        check(&f::ListFunctionsVersionsRequest::default(), "id one of `folder_id`, `function_id` is required");
    }

    #[test]
    fn numbers_lengths_and_what_is_inside_are_looked_at() {
        let resources = Some(f::Resources { memory: 1 });
        check(
            &f::CreateFunctionVersionRequest { resources, ..version() },
            "resources.memory is 1, and must be 134217728 to 8589934592",
        );
        let timeout = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
        let with = |execution_timeout| f::CreateFunctionVersionRequest { execution_timeout, ..version() };
        check(&with(timeout(3_600, 0)), "");
        check(&with(timeout(3_600, 1)), "execution_timeout is 3601s, and must be 0s to 3600s");
        check(&with(timeout(-1, 0)), "execution_timeout is -1s, and must be 0s to 3600s");
        check(&with(timeout(1, -1)), "execution_timeout has -1 ns: use 0 to 999999999");
        let tag = vec!["good".into(), "Bad".into()];
        check(
            &f::CreateFunctionVersionRequest { tag, ..version() },
            "tag[1] is `Bad`, and must match `[a-z][-_0-9a-z]*`",
        );
        let target = |target| Some(f::async_invocation_config::ResponseTarget { target });
        let empty = target(Some(f::async_invocation_config::response_target::Target::EmptyTarget(f::EmptyTarget {})));
        let config = f::AsyncInvocationConfig {
            retries_count: 101,
            success_target: empty.clone(),
            failure_target: empty.clone(),
            service_account_id: String::new(),
        };
        let with = |config| f::CreateFunctionVersionRequest { async_invocation_config: Some(config), ..version() };
        check(&with(config.clone()), "async_invocation_config.retries_count is 101, and must be 0 to 100");
        let config = f::AsyncInvocationConfig { retries_count: 100, ..config };
        check(&with(config.clone()), "");
        check(
            &with(f::AsyncInvocationConfig { failure_target: target(None), ..config }),
            "async_invocation_config.failure_target.target one of `empty_target`, `ymq_target` is required",
        );
    }
}
