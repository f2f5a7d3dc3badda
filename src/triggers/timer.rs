//! Timers: fires for each time of the schedule, in the commit that also says that this time has been seen to. Which times
//! are fired late, and which are left out, is [`crate::model::trigger::CatchUp`]'s to say.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::live::Live;
use super::starts::{Acting, NotStarted, Order};
use super::{Needs, keeping};
use crate::model::bounds;
use crate::model::names::InvocationId;
use crate::model::time::Timestamp;
use crate::model::trigger::{Fired, Payload, Timer};

/// The longest pause between two looks at the clock: a machine that was asleep finds out so late.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// When a firing that was refused is tried again, where nobody says when.
const COME_AGAIN: Duration = Duration::from_secs(5);
/// The shortest and the longest of such pauses.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));

/// One firing.
pub(super) struct Firing {
    /// The invocation.
    pub(super) id: InvocationId,
    /// What time it is for.
    pub(super) at: Timestamp,
    /// What time it is.
    pub(super) now: Timestamp,
    /// The times up to this one have been seen to once it is accepted; `None` where somebody asked for it.
    pub(super) through: Option<Timestamp>,
}

/// Fires until it is cut.
pub(super) async fn watch(live: &Live, timer: &Timer, needs: &Needs, cut: &CancellationToken) {
    while !cut.is_cancelled() {
        let pause = fire_what_is_due(live, timer, needs, cut).await;
        tokio::select! {
            () = cut.cancelled() => return,
            () = needs.clock.sleep(pause) => (),
        }
    }
}

/// Returns how long there is nothing to do.
async fn fire_what_is_due(live: &Live, timer: &Timer, needs: &Needs, cut: &CancellationToken) -> Duration {
    let _turn = live.turn().await;
    let now = needs.clock.now();
    let through = live.progress().through;
    for at in timer.catch_up.due(&timer.schedule, through, now, max_age(live, needs)) {
        if cut.is_cancelled() {
            return LOOK_AGAIN;
        }
        let trigger = live.trigger();
        let id = InvocationId::of_trigger(trigger.id, format!("timer:{}", at.as_ms()).as_bytes());
        let firing = Firing { id, at, now: needs.clock.now(), through: Some(at) };
        match needs.starts.start(order(live, timer, &firing)).await {
            Ok(()) => live.fired(id, needs.clock.now(), Some(at)),
            Err(gone @ NotStarted::Gone(_)) => {
                live.let_pass(gone.to_string(), now, needs).await; // what was due
                break;
            }
            Err(NotStarted::Refused { why, after }) => {
                live.troubled(why, needs).await;
                return after.unwrap_or(COME_AGAIN).clamp(PAUSES.0, PAUSES.1);
            }
        }
    }
    live.seen_to(now);
    let next = timer.schedule.after(now.max(live.progress().through));
    next.map_or(LOOK_AGAIN, |next| next.since(needs.clock.now()).min(LOOK_AGAIN))
}

/// The age that the function allows.
fn max_age(live: &Live, needs: &Needs) -> Duration {
    let target = &live.trigger().target;
    let resolved = needs.registry.resolve_id_to_run(target.id, &target.qualifier);
    let age = resolved.map(|(function, version)| function.config_of(version.number).max_event_age);
    age.unwrap_or(bounds::DEFAULT_MAX_EVENT_AGE)
}

/// The invocation of a firing.
pub(super) fn order(live: &Live, timer: &Timer, firing: &Firing) -> Order {
    let &Firing { id, at, now, through } = firing;
    let trigger = live.trigger();
    let mut progress = live.progress().after_firing(Fired { at: now, invocation: id });
    progress.through = through.unwrap_or(progress.through);
    let described = || {
        let said = json!({
            "namespace": trigger.namespace.as_str(),
            "trigger": trigger.name.as_str(),
            "scheduled_for": at.to_string(),
            "fired_at": now.to_string(),
        });
        Payload { bytes: said.to_string().into_bytes(), content_type: "application/json".to_owned() }
    };
    let payload = timer.payload.clone();
    let payload = payload.map(|it| it.telling(timer.time_member.as_deref(), &timer.schedule.on_the_wall(at)));
    let Payload { bytes, content_type } = payload.unwrap_or_else(described);
    Order {
        id,
        target: trigger.target.clone(),
        due: at.min(now),
        payload: Bytes::from(bytes),
        content_type,
        attributes: vec![
            ("tidemill-trigger".to_owned(), trigger.name.to_string()),
            ("tidemill-scheduled-for".to_owned(), at.to_string()),
        ],
        also: vec![keeping(live, &progress)],
        acting: Acting::of(trigger),
    }
}
