//! Destinations as this dialect writes them: the name of a service, and a string of JSON that says what in it. What the
//! services are here: `FunctionGraph` a function, `OBS` a bucket, `DIS` a stream, `SMN` a topic.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::FssError;
use super::json::Fields;
use super::kept::{self, Kept};
use super::urn::{Urn, Which};
use crate::model::bounds;
use crate::model::destination::{Destination, DestinationText, FunctionTarget, Outside, OutsideKind, Terms};
use crate::model::names::{Namespace, Qualifier};
use crate::runtime::Runtime;

/// The services, as clients name them.
const SERVICES: &str = "FunctionGraph, OBS, SMN or DIS";
/// What stands in front of a topic: `urn:smn:REGION:PROJECT:TOPIC`.
const TOPIC_URN: &str = "urn:smn:";

/// A destination as it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) destination: String,
    pub(super) param: String,
}

/// A destination that was sent, and what it means.
pub(super) type Meant = (Sent, DestinationText, Terms);

/// Reads a destination; `None` where the object says nothing.
pub(super) fn read(runtime: &Runtime, project: &Namespace, fields: &Fields) -> Result<Option<Meant>, FssError> {
    let (service, param) = (fields.text("destination")?.unwrap_or_default(), fields.text("param")?.unwrap_or_default());
    if service.is_empty() && param.is_empty() {
        return Ok(None);
    }
    let named = fields.name("param");
    let inside = Fields::of(param.as_bytes()).map_err(|error| {
        FssError::parameter(format!("`{named}` is a string that holds a JSON object: {}", error.message))
    })?;
    let inside = Param { named: &named, fields: &inside };
    let (to, terms) = match service {
        "FunctionGraph" => (function(runtime, &inside)?, Terms::default()),
        "OBS" => object(&inside)?,
        "SMN" => (topic(project, &inside)?, Terms::default()),
        "DIS" => (outside(OutsideKind::Stream, inside.text("stream_name")?.to_owned()), Terms::default()),
        other => {
            let other: String = other.chars().take(60).collect();
            let message = format!("`{}` is `{other}`: send {SERVICES}", fields.name("destination"));
            return Err(FssError::parameter(message));
        }
    };
    Ok(Some((Sent { destination: service.to_owned(), param: param.to_owned() }, to, terms)))
}

/// What the string of a destination holds.
struct Param<'a> {
    named: &'a str,
    fields: &'a Fields,
}

impl Param<'_> {
    fn text(&self, name: &str) -> Result<&str, FssError> {
        let found = self.fields.text(name).map_err(|error| self.wrong(&error.message))?;
        found.filter(|text| !text.is_empty()).ok_or_else(|| self.wrong(&format!("it says no `{name}`")))
    }

    fn wrong(&self, why: &str) -> FssError {
        FssError::parameter(format!("`{}`: {why}", self.named))
    }
}

fn function(runtime: &Runtime, param: &Param<'_>) -> Result<DestinationText, FssError> {
    let urn = Urn::parse(param.text("func_urn")?).map_err(|error| param.wrong(&error.message))?;
    let qualifier = match &urn.which {
        Which::Whole | Which::Latest => Qualifier::Latest,
        // What is not there is said by the runtime, which looks again when it writes.
        _ => kept::qualifier(runtime, &urn).map_err(|error| param.wrong(&error.message))?,
    };
    let namespace = Some(urn.path.namespace);
    Ok(DestinationText::Function { namespace, name: urn.path.name, qualifier })
}

fn object(param: &Param<'_>) -> Result<(DestinationText, Terms), FssError> {
    let bucket = param.text("bucket")?;
    let prefix = param.fields.text("prefix").map_err(|error| param.wrong(&error.message))?.unwrap_or_default();
    let prefix = prefix.trim_start_matches('/'); // as it is written where keys are taken for paths
    let days = match param.fields.value("expires") {
        None => Some(0),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64().and_then(|days| u16::try_from(days).ok()),
    };
    let days = days.filter(|days| bounds::EXPIRES_DAYS.contains(days)).ok_or_else(|| {
        let shown: String = param.fields.value("expires").map(Value::to_string).unwrap_or_default();
        let shown: String = shown.chars().take(60).collect();
        param.wrong(&format!("`expires` is {shown}: send 0 to 365 days; 0 keeps the object"))
    })?;
    let target = if prefix.is_empty() { bucket.to_owned() } else { format!("{bucket}/{prefix}") };
    Ok((outside(OutsideKind::Object, target), Terms { expires_days: days, ..Terms::default() }))
}

fn topic(project: &Namespace, param: &Param<'_>) -> Result<DestinationText, FssError> {
    let urn = param.text("topic_urn")?;
    let parts: Vec<_> = urn.strip_prefix(TOPIC_URN).unwrap_or_default().split(':').collect();
    let shown: String = urn.chars().take(200).collect();
    match parts[..] {
        [_, owner, name] if owner == project.as_str() => Ok(outside(OutsideKind::Topic, name.to_owned())),
        [_, _, _] => {
            let message = format!("`topic_urn` is `{shown}`: a topic must be of the function's own project, {project}");
            Err(param.wrong(&message))
        }
        _ => Err(param.wrong(&format!("`topic_urn` is `{shown}`: write `urn:smn:REGION:PROJECT:TOPIC`"))),
    }
}

fn outside(kind: OutsideKind, target: String) -> DestinationText {
    DestinationText::Outside(Outside { kind, target })
}

/// A destination as it is answered. What was set in another dialect, and has no name in this one, is told as that writes
/// it.
pub(super) fn written(runtime: &Runtime, owner: &Namespace, to: &Destination, terms: &Terms) -> Sent {
    let (destination, param) = match to {
        Destination::Function(target) => ("FunctionGraph", json!({ "func_urn": urn_of(runtime, target) })),
        Destination::Outside(Outside { kind, target }) => match kind {
            OutsideKind::Object => {
                let (bucket, prefix) = target.split_once('/').unwrap_or((target, ""));
                ("OBS", json!({ "bucket": bucket, "prefix": prefix, "expires": terms.expires_days }))
            }
            OutsideKind::Stream => ("DIS", json!({ "stream_name": target })),
            OutsideKind::Topic => ("SMN", json!({ "topic_urn": format!("{TOPIC_URN}local:{owner}:{target}") })),
            OutsideKind::Queue => ("queue", json!({ "to": to.to_string() })),
            OutsideKind::Webhook => ("webhook", json!({ "to": to.to_string() })),
        },
    };
    Sent { destination: destination.to_owned(), param: param.to_string() }
}

/// The URN of a function that is a destination, as it is called now.
fn urn_of(runtime: &Runtime, target: &FunctionTarget) -> String {
    let function = runtime.function_by_id(target.id);
    let path = function.as_ref().map_or_else(|| target.path.clone(), |function| function.path.clone());
    let which = match &target.qualifier {
        Qualifier::Latest => Which::Latest,
        Qualifier::Alias(alias) => Which::Alias(alias.clone()),
        Qualifier::Version(number) => {
            let name = function.map(|function| Kept::of(runtime, &function).name_of(&function, *number));
            Which::Version(name.unwrap_or_else(|| number.to_string()))
        }
    };
    Urn { path, which }.to_string()
}
