//! `F/config`, `F/config-max-instance`: show, update. What is changed is the head; published versions stay as they are.

use std::num::NonZeroU32;

use super::code::make_head;
use super::error::{Code, FssError};
use super::json::{self, Fields, missing};
use super::model::{self, VersionKept};
use super::request::Call;
use super::settings::{self, Settings};
use super::urn::LATEST;
use super::{Answer, functions};
use crate::model::names::{FunctionPath, Qualifier};
use crate::model::queue::QueueConfig;

/// The field that says how many instances there may be.
const NAME: &str = "max_instance_num";

pub(super) fn show(call: &Call) -> Answer {
    let (described, name) = model::asked(call)?;
    Ok(json::ok(&model::shown(&described, &name)))
}

pub(super) async fn update(call: &Call) -> Answer {
    let path = call.head()?;
    call.runtime.describe(path, &Qualifier::Latest)?;
    let body = call.fields()?;
    let name = body.text("func_name").map_err(|error| error.coded(Code::NAME))?;
    let name = name.ok_or_else(|| missing(Code::NAME, "func_name"))?;
    if name != path.name.base() {
        let name: String = name.chars().take(60).collect();
        let message =
            format!("`func_name` is `{name}`, and the URN names `{}`: a function keeps its name", path.name.base());
        return Err(FssError::new(Code::NAME, message));
    }
    let settings = Settings::read(&body)?;
    while !updated(call, path, &settings).await? {}
    if let Some(instances) = settings.instances {
        set_instances(call, path, instances).await?;
    }
    answer(call, path)
}

async fn updated(call: &Call, path: &FunctionPath, settings: &Settings) -> Result<bool, FssError> {
    let head = call.runtime.describe(path, &Qualifier::Latest)?;
    let before = VersionKept::of(&head.version);
    let module = call.runtime.module(path, &Qualifier::Version(head.version.number)).await?;
    let mut deployment = functions::again(&head.version, module.clone());
    if settings.text("handler") != before.handler() {
        deployment.entrypoint = functions::wanted(settings.text("handler"), &module).await?;
    }
    deployment.limits = settings.limits(head.version.limits)?;
    // What is not said stays as it was; so do the variables of the one field where only the other is sent.
    let mut kept = before;
    kept.fields.extend(settings.fields.clone());
    if settings.environment.is_some() {
        let environment = settings::environment(&Fields::from(kept.fields.clone()))?;
        deployment.environment = environment.unwrap_or_default();
    }
    kept.keep_in(&mut deployment)?;
    make_head(call, path, deployment).await
}

pub(super) async fn update_max_instances(call: &Call) -> Answer {
    let path = call.head()?;
    call.runtime.describe(path, &Qualifier::Latest)?;
    let body = call.fields()?;
    let number = body.integer(NAME)?.ok_or_else(|| missing(Code::INVALID_PARAMETER, NAME))?;
    set_instances(call, path, settings::check_instances(NAME, number)?).await?;
    answer(call, path)
}

fn answer(call: &Call, path: &FunctionPath) -> Answer {
    Ok(json::ok(&model::shown(&call.runtime.describe(path, &Qualifier::Latest)?, LATEST)))
}

/// Says how many instances a function may have: -1 for any number; 0 disables it.
pub(super) async fn set_instances(call: &Call, path: &FunctionPath, number: i64) -> Result<(), FssError> {
    let function = call.runtime.function(path)?;
    if function.disabled != (number == 0) {
        call.runtime.disable_function(path, number == 0).await?;
    }
    let limit = u32::try_from(number).ok().and_then(NonZeroU32::new);
    if number != 0 && function.queue.concurrency != limit {
        let config = QueueConfig { concurrency: limit, ..function.queue.clone() };
        call.runtime.set_queue(path, config, None).await?;
    }
    Ok(())
}
