//! `F/versions`: publish the head, list.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::error::{Code, FssError};
use super::json::{self, Fields};
use super::kept::{Changing, Kept, Published};
use super::request::Call;
use super::settings::check_description;
use super::urn::LATEST;
use super::{Answer, functions, model};
use crate::model::names::Qualifier;
use crate::model::time::Timestamp;
use crate::runtime::Described;

/// Versions of a function, the head included.
const MAX_VERSIONS: usize = 20;
/// Characters of a version's name.
const MAX_NAME: usize = 42;

pub(super) async fn create(call: &Call) -> Answer {
    let path = call.head()?;
    let body = Fields::of_any(&call.body)?;
    let text = |name: &str, code| body.text(name).map_err(|error| error.coded(code));
    let wanted = text("version", Code::VERSION)?.filter(|name| !name.is_empty());
    let description = text("description", Code::DESCRIPTION)?.unwrap_or_default().to_owned();
    check_description(Some(&description))?;
    let digest = text("digest", Code::INVALID_PARAMETER)?.filter(|digest| !digest.is_empty());

    let mut changing = Changing::begin(&call.runtime, path).await?;
    let head = call.runtime.describe(path, &Qualifier::Latest)?;
    let number = head.version.number;
    let versions = &changing.kept.versions;
    let name = match wanted {
        Some(name) => checked(name)?.to_owned(),
        None => made(call.runtime.now(), |name| versions.contains_key(name)),
    };
    if versions.contains_key(&name) {
        let message = format!("function '{}' has a version '{name}' already", path.name.base());
        return Err(FssError::new(Code::VERSION_EXISTS, message));
    }
    if let Some((published, _)) = versions.iter().find(|(_, published)| published.number == number) {
        let message = format!("there is nothing to publish: nothing has changed since version '{published}'");
        return Err(FssError::new(Code::NOTHING_TO_PUBLISH, message));
    }
    if versions.len() + 1 >= MAX_VERSIONS {
        let message = format!("the function has {} versions: it may have {MAX_VERSIONS}", versions.len() + 1);
        return Err(FssError::new(Code::TOO_MANY_VERSIONS, message));
    }
    let shown = model::shown(&head, &name);
    if let Some(digest) = digest.filter(|digest| shown.get("digest").and_then(Value::as_str) != Some(digest)) {
        let digest: String = digest.chars().take(128).collect();
        let message = format!("`digest` is `{digest}`, and is not that of the code: somebody has changed it since");
        return Err(FssError::parameter(message));
    }
    let published = Published { number, description: description.clone(), at: call.runtime.now() };
    changing.kept.publish(name, published);
    changing.save().await?;
    Ok(json::ok(&described(shown, &description)))
}

/// A name that somebody gives a version.
fn checked(name: &str) -> Result<&str, FssError> {
    let is_end = |c: char| c.is_ascii_alphanumeric();
    let fits = (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(|c| is_end(c) || matches!(c, '-' | '_' | '.'))
        && name.starts_with(is_end)
        && name.ends_with(is_end)
        && name != LATEST;
    let refused = || {
        let name: String = name.chars().take(60).collect();
        let form =
            "use 1 to 42 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends, and not `latest`";
        FssError::new(Code::VERSION, format!("`version` is `{name}`: {form}"))
    };
    if fits { Ok(name) } else { Err(refused()) }
}

/// The name of a version that was given none: when it was published.
fn made(now: Timestamp, is_taken: impl Fn(&str) -> bool) -> String {
    let digits: String = now.to_string().chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(digits.len().min(8));
    let name = format!("v{day}-{}", time.get(..6).unwrap_or(time));
    let others = (2..).map(|n| format!("{name}-{n}"));
    std::iter::once(name.clone()).chain(others).find(|name| !is_taken(name)).unwrap_or(name)
}

pub(super) fn list(call: &Call) -> Answer {
    let (marker, most) = call.page()?;
    let path = &call.urn()?.path;
    let head = call.runtime.describe(path, &Qualifier::Latest)?;
    let mut published: Vec<(String, Published)> =
        Kept::of(&call.runtime, &head.function).versions.into_iter().collect();
    published.sort_by_key(|(_, published)| published.at);
    let versions = call.runtime.versions(path)?;
    let mut all = vec![described(model::shown(&head, LATEST), "")];
    all.extend(published.iter().filter_map(|(name, published)| {
        let version = versions.iter().find(|version| version.number == published.number)?;
        let version = Described { function: head.function.clone(), version: Arc::clone(version) };
        Some(described(model::shown(&version, name), &published.description))
    }));
    let count = all.len();
    let here: Vec<_> = all.into_iter().skip(marker).take(most).collect();
    Ok(json::ok(&functions::paged("versions", &here, marker, count)))
}

fn described(mut shown: Map<String, Value>, description: &str) -> Map<String, Value> {
    shown.insert("version_description".to_owned(), Value::from(description));
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_a_name_is_called_after_its_time() {
        let now = Timestamp::parse("2026-01-02T03:04:05.678Z").unwrap();
        assert_eq!(made(now, |_| false), "v20260102-030405");
        assert_eq!(made(now, |name| name == "v20260102-030405"), "v20260102-030405-2");
        assert!(checked(&made(now, |_| false)).is_ok());
    }

    #[test]
    fn a_version_is_not_called_anything() {
        for name in ["1", "v1.2_3-4", &"a".repeat(42)] {
            assert_eq!(checked(name), Ok(name));
        }
        for name in ["", "latest", "-1", "1.", "a:b", "!a", "a b", "ä", &"a".repeat(43)] {
            assert_eq!(checked(name).unwrap_err().code, Code::VERSION, "{name}");
        }
    }
}
