//! What became of tries at each target since the start: so many targets by name, and what is more together. Callbacks are
//! together too, for their addresses are whatever callers say.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::stand;
use crate::model::bounds;
use crate::model::destination::OutsideKind;
use crate::model::invocation::{Delivery, Way};
use crate::model::names::Namespace;

/// A target, as figures name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryTarget {
    /// Every callback.
    Callbacks,
    /// Every target that there was no room for.
    Other,
    /// One destination, or all that share a server or a bucket.
    This {
        /// Whose it is.
        namespace: Namespace,
        /// `queue`, `object`, `stream`, `topic` or `webhook`.
        kind: &'static str,
        /// The service that it is in; empty for what is built in.
        connection: String,
        /// Which one: a name, a bucket, a server.
        place: String,
    },
}

/// Figures of one target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetFigures {
    /// Tries that have ended.
    pub tries: u64,
    /// Deliveries that were made.
    pub delivered: u64,
    /// Deliveries that were given up.
    pub given_up: u64,
}

/// The figures of all targets.
#[derive(Debug, Default)]
pub(super) struct Tally(Mutex<BTreeMap<DeliveryTarget, TargetFigures>>);

impl Tally {
    /// Counts something of the target of `delivery`.
    pub(super) fn count(&self, namespace: &Namespace, delivery: &Delivery, count: impl FnOnce(&mut TargetFigures)) {
        let mut all = self.lock();
        let target = named(namespace, delivery);
        let has_room = all.len() < bounds::MAX_DELIVERY_TARGETS_TOLD || all.contains_key(&target);
        count(all.entry(if has_room { target } else { DeliveryTarget::Other }).or_default());
    }

    pub(super) fn figures(&self) -> Vec<(DeliveryTarget, TargetFigures)> {
        self.lock().iter().map(|(target, figures)| (target.clone(), *figures)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<DeliveryTarget, TargetFigures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(namespace: &Namespace, delivery: &Delivery) -> DeliveryTarget {
    if delivery.way == Way::Callback {
        return DeliveryTarget::Callbacks;
    }
    let kind = match delivery.to.kind {
        OutsideKind::Object => "object",
        OutsideKind::Queue => "queue",
        OutsideKind::Stream => "stream",
        OutsideKind::Topic => "topic",
        OutsideKind::Webhook => "webhook",
    };
    let connection = delivery.terms.connection.as_ref().map(ToString::to_string).unwrap_or_default();
    DeliveryTarget::This { namespace: namespace.clone(), kind, connection, place: stand::place(&delivery.to) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::destination::{DestinationText, Terms};
    use crate::model::time::Timestamp;

    fn delivery(to: &str, way: Way) -> Delivery {
        let Ok(DestinationText::Outside(to)) = to.parse() else { panic!("{to} is not outside") };
        let due = Timestamp::from_ms(7);
        Delivery { to, tries: 0, due, way, terms: Terms::default(), since: None, error: None }
    }

    #[test]
    fn so_many_targets_are_told_by_name_and_the_rest_together() {
        let (tally, own) = (Tally::default(), Namespace::default());
        for n in 0..bounds::MAX_DELIVERY_TARGETS_TOLD + 7 {
            for _ in 0..2 {
                tally.count(&own, &delivery(&format!("queue:q{n}"), Way::Destination), |it| it.tries += 1);
            }
        }
        let figures = tally.figures();
        assert_eq!(figures.len(), bounds::MAX_DELIVERY_TARGETS_TOLD + 1);
        let other = figures.iter().find(|(target, _)| *target == DeliveryTarget::Other).unwrap();
        assert_eq!(other.1.tries, 14);
        assert_eq!(
            figures.iter().map(|(_, it)| it.tries).sum::<u64>(),
            2 * (bounds::MAX_DELIVERY_TARGETS_TOLD as u64 + 7)
        );
    }

    #[test]
    fn a_target_is_what_is_connected_to_and_no_secret_of_an_address_is_told() {
        let (tally, own) = (Tally::default(), Namespace::default());
        for to in ["https://a.example/x?key=secret", "https://a.example/y", "object:b/one", "object:b/two"] {
            tally.count(&own, &delivery(to, Way::Destination), |it| it.delivered += 1);
        }
        tally.count(&own, &delivery("https://whoever.example/?key=secret", Way::Callback), |it| it.given_up += 1);
        let told = format!("{:?}", tally.figures());
        assert_eq!(tally.figures().len(), 3, "{told}");
        assert!(
            told.contains("https://a.example\"") && !told.contains("secret") && !told.contains("whoever"),
            "{told}"
        );
    }
}
