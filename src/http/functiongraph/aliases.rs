//! `F/aliases`: names for versions, and how much of their traffic goes to others. An alias of `latest` moves with the head.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Answer;
use super::error::{Code, FssError};
use super::json::{self, Fields, missing, time};
use super::kept::{self, AliasKept, Changing, Kept};
use super::request::Call;
use super::settings::check_description;
use super::urn::LATEST;
use crate::model::function::{Function, Weights};
use crate::model::names::{AliasName, FunctionPath, Qualifier, VersionNumber};
use crate::runtime::Runtime;

/// Aliases of a function.
const MAX_ALIASES: usize = 10;
/// Of a hundred invocations, those that go to other versions.
const MAX_WEIGHT: i64 = 100;

/// What an alias is to be.
struct Wanted {
    number: VersionNumber,
    weights: Weights,
    kept: AliasKept,
}

pub(super) async fn create(call: &Call) -> Answer {
    let path = &call.urn()?.path;
    let body = call.fields()?;
    let name = body.text("name").map_err(|error| error.coded(Code::ALIAS))?;
    let name = alias(name.ok_or_else(|| missing(Code::ALIAS, "name"))?)?;
    let changing = Changing::begin(&call.runtime, path).await?;
    if changing.function.aliases.contains_key(&name) {
        let message = format!("function '{}' has an alias '{name}' already", path.name.base());
        return Err(FssError::new(Code::ALIAS_EXISTS, message));
    }
    let count = changing.function.aliases.len();
    if count >= MAX_ALIASES {
        let message = format!("the function has {count} aliases: it may have {MAX_ALIASES}");
        return Err(FssError::new(Code::TOO_MANY_ALIASES, message));
    }
    set(call, changing, name, &body).await
}

pub(super) async fn update(call: &Call) -> Answer {
    let name = alias(call.last())?;
    let body = call.fields()?;
    let changing = Changing::begin(&call.runtime, &call.urn()?.path).await?;
    there(&changing.function, &name)?;
    set(call, changing, name, &body).await
}

async fn set(call: &Call, mut changing: Changing<'_>, name: AliasName, body: &Fields) -> Answer {
    let wanted = Wanted::read(call, &changing, &name, body)?;
    let path = changing.function.path.clone();
    changing.kept.aliases.insert(name.clone(), wanted.kept);
    changing.fits()?;
    call.runtime.alias(&path, name.clone(), Some((wanted.number, wanted.weights))).await?;
    changing.save().await?;
    let function = call.runtime.function(&path)?;
    Ok(json::ok(&shown(&function, &Kept::of(&call.runtime, &function), &name)))
}

impl Wanted {
    fn read(call: &Call, changing: &Changing<'_>, name: &AliasName, body: &Fields) -> Result<Self, FssError> {
        let (function, kept) = (&changing.function, &changing.kept);
        let version = body.text("version").map_err(|error| error.coded(Code::VERSION))?;
        let version = version.ok_or_else(|| missing(Code::VERSION, "version"))?;
        let number = existing(call, function, kept, version)?;
        let version = if version == LATEST { LATEST.to_owned() } else { kept.fixed_name_of(number) };
        let others = function.aliases.keys().filter(|other| *other != name);
        if let Some(other) =
            others.into_iter().find(|other| version_of(function, kept, other).as_deref() == Some(&*version))
        {
            let message = format!("the version '{version}' has the alias '{other}' already");
            return Err(FssError::new(Code::VERSION_HAS_ALIAS, message));
        }
        let before = kept.aliases.get(name).cloned().unwrap_or_default();
        let description = body.text("description").map_err(|error| error.coded(Code::DESCRIPTION))?;
        check_description(description)?;
        let strategy = body.object("additional_version_strategy")?;
        let kept = AliasKept {
            description: description.map_or(before.description, str::to_owned),
            modified: call.runtime.now(),
            follows: version == LATEST,
            strategy: strategy.map(|strategy| Value::Object(strategy.members().clone())),
        };
        Ok(Self { number, weights: weights(call, changing, &version, number, body)?, kept })
    }
}

/// The version of this name, which must be there.
fn existing(call: &Call, function: &Function, kept: &Kept, name: &str) -> Result<VersionNumber, FssError> {
    let number = kept.number_of(function, name);
    let is_there = |number: &VersionNumber| call.runtime.describe(&function.path, &Qualifier::Version(*number)).is_ok();
    number.filter(is_there).ok_or_else(|| kept::no_version(&function.path, name))
}

/// How many of a hundred invocations go to which other version.
fn weights(
    call: &Call,
    changing: &Changing<'_>,
    own: &str,
    number: VersionNumber,
    body: &Fields,
) -> Result<Weights, FssError> {
    const NAME: &str = "additional_version_weights";
    let Some(said) = body.object(NAME).map_err(|error| error.coded(Code::WEIGHT))? else {
        return Ok(Weights::new());
    };
    let (mut weights, mut sum) = (Weights::new(), 0_i64);
    for name in said.members().keys() {
        let weight = said.integer(name).map_err(|error| error.coded(Code::WEIGHT))?.unwrap_or_default();
        sum = sum.saturating_add(weight);
        let part = u8::try_from(weight).ok().filter(|_| (0..=MAX_WEIGHT).contains(&weight) && sum <= MAX_WEIGHT);
        let Some(part) = part else {
            let message = format!("`{}` is {weight}: all weights together are 0 to {MAX_WEIGHT}", said.name(name));
            return Err(FssError::new(Code::WEIGHT, message));
        };
        let named = said.name(name);
        // A share is of one version; what of `latest` is published later is another.
        if name == LATEST {
            let message = format!("`{named}` has no version that stays: publish one and name that");
            return Err(FssError::new(Code::OTHER_VERSION, message));
        }
        let other = existing(call, &changing.function, &changing.kept, name)
            .map_err(|error| error.coded(Code::OTHER_VERSION))?;
        if other == number {
            let message = format!("`{named}` is what the alias's own version `{own}` is already: name another");
            return Err(FssError::new(Code::SAME_VERSION, message));
        }
        weights.insert(other, part);
    }
    Ok(weights)
}

pub(super) fn list(call: &Call) -> Answer {
    let function = call.runtime.function(&call.urn()?.path)?;
    let kept = Kept::of(&call.runtime, &function);
    let all: Vec<Value> = function.aliases.keys().map(|name| shown(&function, &kept, name)).collect();
    Ok(json::ok(&all))
}

pub(super) fn show(call: &Call) -> Answer {
    let name = alias(call.last())?;
    let function = call.runtime.function(&call.urn()?.path)?;
    there(&function, &name)?;
    Ok(json::ok(&shown(&function, &Kept::of(&call.runtime, &function), &name)))
}

pub(super) async fn delete(call: &Call) -> Answer {
    let name = alias(call.last())?;
    remove(call, &call.urn()?.path, &name).await?;
    Ok(json::nothing())
}

/// Takes an alias away.
pub(super) async fn remove(call: &Call, path: &FunctionPath, name: &AliasName) -> Result<(), FssError> {
    let mut changing = Changing::begin(&call.runtime, path).await?;
    there(&changing.function, name)?;
    call.runtime.alias(path, name.clone(), None).await?;
    changing.kept.aliases.remove(name);
    changing.save().await
}

/// Has the aliases of `latest` name the head that there is now.
pub(super) async fn follow(runtime: &Runtime, path: &FunctionPath) -> Result<(), FssError> {
    let changing = Changing::begin(runtime, path).await?;
    let function = &changing.function;
    let Some(latest) = function.latest else { return Ok(()) };
    let behind = |(name, number): &(&AliasName, &VersionNumber)| changing.kept.follows(name) && **number != latest;
    for (name, _) in function.aliases.iter().filter(behind) {
        let weights = function.weights.get(name).cloned().unwrap_or_default();
        runtime.alias(path, name.clone(), Some((latest, weights))).await?;
    }
    Ok(())
}

fn alias(text: &str) -> Result<AliasName, FssError> {
    text.parse().map_err(|error| FssError::new(Code::ALIAS, format!("{error}")))
}

fn there(function: &Function, name: &AliasName) -> Result<(), FssError> {
    if function.aliases.contains_key(name) {
        return Ok(());
    }
    let message = format!("function '{}' has no alias '{name}'", function.path.name.base());
    Err(FssError::new(Code::ALIAS_UNKNOWN, message))
}

/// What the version that an alias names is called.
fn version_of(function: &Function, kept: &Kept, name: &AliasName) -> Option<String> {
    let number = function.aliases.get(name)?;
    Some(if kept.follows(name) { LATEST.to_owned() } else { kept.fixed_name_of(*number) })
}

fn shown(function: &Function, kept: &Kept, name: &AliasName) -> Value {
    let own = kept.aliases.get(name);
    let weights = function.weights.get(name).into_iter().flatten();
    let weights: BTreeMap<String, u8> = weights.map(|(number, part)| (kept.fixed_name_of(*number), *part)).collect();
    json!({
        "name": name.as_str(),
        "version": version_of(function, kept, name).unwrap_or_default(),
        "description": own.map_or("", |own| own.description.as_str()),
        "last_modified": time(own.map_or(function.created, |own| own.modified)),
        "alias_urn": function.path.urn(&format_args!("!{name}")),
        "additional_version_weights": weights,
        "additional_version_strategy": own.and_then(|own| own.strategy.clone()),
    })
}
