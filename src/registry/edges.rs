//! Edges that are no function's: those of triggers, subscriptions and redrive policies. Whoever has them keeps them; here
//! they are part of the graph, and the lock that orders changes of functions orders theirs too. So of two writers
//! who would close a cycle together one is refused, whatever each of them writes.

use std::sync::PoisonError;

use tokio::sync::OwnedMutexGuard;

use super::{Registry, RegistryError};
use crate::model::graph::{Edges, Owner};

/// The turn to change what leads where, for as long as it is held: look, [`Changing::check`], commit,
/// [`Changing::publish`]. Dropped before that, nothing has changed. Hold it in a task that is seen through
/// ([`crate::tasks::Tasks::see_through`]), so that a caller who goes away leaves nothing between commit and publication.
pub struct Changing {
    registry: Registry,
    _turn: OwnedMutexGuard<()>,
}

impl Registry {
    /// Waits for the turn to change what leads where. Locks of the room that asks come after this one.
    pub async fn changing(&self) -> Changing {
        Changing { registry: self.clone(), _turn: self.parts.changing.clone().lock_owned().await }
    }

    /// Takes up edges that were kept when the store was opened: they were checked when they were written.
    pub fn adopt(&self, owner: Owner, edges: Edges) {
        self.put_edges(owner, edges);
    }

    /// Refuses edges of `owner` that would close a cycle in place of those that it has.
    pub(super) fn closes_none(&self, owner: &Owner, edges: &Edges) -> Result<(), RegistryError> {
        let cycle = self.read(|catalogue| catalogue.cycle(owner, edges));
        cycle.map_or(Ok(()), |cycle| Err(RegistryError::Cycle(cycle)))
    }

    fn put_edges(&self, owner: Owner, edges: Edges) {
        self.parts.catalogue.write().unwrap_or_else(PoisonError::into_inner).put_edges(owner, edges);
    }
}

impl Changing {
    /// Refuses edges of `owner` that would close a cycle in place of those that it has.
    pub fn check(&self, owner: &Owner, edges: &Edges) -> Result<(), RegistryError> {
        self.registry.closes_none(owner, edges)
    }

    /// Makes edges that were checked and are kept part of the graph; none removes those of `owner`.
    pub fn publish(&self, owner: Owner, edges: Edges) {
        self.registry.put_edges(owner, edges);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::destination::OutsideKind;
    use crate::model::graph::{Named, Node};
    use crate::registry::tests::{kept, leading_to, path, registry};
    use crate::registry::{Removal, Subject};

    fn named(name: &str) -> Named {
        Named { namespace: "default".parse().unwrap(), name: name.to_owned() }
    }

    fn function(name: &str) -> Node {
        Node::Function(path(name))
    }

    async fn written(registry: &Registry, owner: Owner, edges: Edges) -> Result<(), String> {
        let changing = registry.changing().await;
        changing.check(&owner, &edges).map_err(|refused| refused.to_string())?;
        tokio::task::yield_now().await; // as a commit takes its time
        changing.publish(owner, edges);
        Ok(())
    }

    #[tokio::test]
    async fn a_trigger_of_a_queue_that_its_function_leads_to_is_refused_with_the_whole_way() {
        let registry = registry(vec![kept("a", Some((OutsideKind::Queue, "jobs"))), kept("b", None)]).await;
        let (a, b, jobs) = (function("a"), function("b"), Node::Queue(named("jobs")));
        let work = Owner::Trigger(named("work"));
        let itself = written(&registry, work.clone(), vec![(jobs.clone(), a.clone())]).await.unwrap_err();
        assert_eq!(itself, "this would close a cycle: queue:jobs -> a -> queue:jobs");
        written(&registry, work.clone(), vec![(jobs, b)]).await.unwrap();
        let refused = registry.configure(path("b"), Subject::Function, leading_to("function:a")).await.unwrap_err();
        assert_eq!(refused.to_string(), "this would close a cycle: b -> a -> queue:jobs -> b");
        let in_use = registry.delete(path("b"), Removal::Usual).await.unwrap_err().to_string();
        assert!(in_use.contains("`trigger:work`"), "{in_use}");
        written(&registry, work, Vec::new()).await.unwrap();
        registry.configure(path("b"), Subject::Function, leading_to("function:a")).await.unwrap();
    }

    #[tokio::test]
    async fn a_name_that_something_leads_to_is_not_taken_by_a_function_that_leads_there() {
        let registry = registry(vec![kept("a", Some((OutsideKind::Queue, "jobs"))), kept("b", None)]).await;
        let edges = vec![(Node::Queue(named("jobs")), function("gone"))];
        written(&registry, Owner::Trigger(named("work")), edges).await.unwrap();
        let name = |path: &str| path.parse().unwrap();
        let refused = registry.rename(path("a"), name("gone")).await.unwrap_err().to_string();
        assert_eq!(refused, "this would close a cycle: gone -> queue:jobs -> gone");
        assert_eq!(registry.rename(path("b"), name("gone")).await.unwrap().path, path("gone"));
    }

    #[tokio::test]
    async fn a_function_that_has_got_a_version_is_not_removed_as_one_without() {
        let registry = registry(vec![kept("a", None)]).await;
        registry.create(path("b"), crate::model::function::Annotations::new()).await.unwrap();
        for name in ["a", "b"] {
            let removed = registry.delete(path(name), Removal::WithoutVersion).await.unwrap();
            assert_eq!((removed.is_some(), registry.function(&path(name)).is_err()), (name == "b", name == "b"));
        }
    }

    #[tokio::test]
    async fn a_way_through_a_topic_a_queue_and_its_dead_letters_is_one() {
        let registry = registry(vec![kept("a", Some((OutsideKind::Topic, "news"))), kept("b", None)]).await;
        let [jobs, dead] = ["jobs", "dead"].map(|name| Node::Queue(named(name)));
        let subscribed = vec![(Node::Topic(named("news")), jobs.clone())];
        written(&registry, Owner::Topic(named("news")), subscribed).await.unwrap();
        written(&registry, Owner::Queue(named("jobs")), vec![(jobs, dead.clone())]).await.unwrap();
        let edges = vec![(dead, function("a"))];
        let refused = written(&registry, Owner::Trigger(named("again")), edges).await.unwrap_err();
        assert_eq!(refused, "this would close a cycle: queue:dead -> a -> topic:news -> queue:jobs -> queue:dead");
    }

    #[tokio::test]
    async fn of_a_function_and_a_trigger_that_would_close_a_cycle_together_one_is_refused() {
        let registry = registry(vec![kept("a", None), kept("b", Some((OutsideKind::Queue, "jobs")))]).await;
        let (mut function_won, mut trigger_won) = (0, 0);
        for round in 0..40 {
            let trigger =
                written(&registry, Owner::Trigger(named("work")), vec![(Node::Queue(named("jobs")), function("a"))]);
            let destination = registry.configure(path("a"), Subject::Function, leading_to("function:b"));
            let (trigger, destination) = if round % 2 == 0 {
                tokio::join!(trigger, destination)
            } else {
                let (destination, trigger) = tokio::join!(destination, trigger);
                (trigger, destination)
            };
            assert_ne!(trigger.is_ok(), destination.is_ok(), "round {round}: {trigger:?}, {destination:?}");
            function_won += u32::from(destination.is_ok());
            trigger_won += u32::from(trigger.is_ok());
            registry.remove_config(path("a"), Subject::Function).await.unwrap();
            written(&registry, Owner::Trigger(named("work")), Vec::new()).await.unwrap();
        }
        assert!(trigger_won > 0, "the function came first {function_won} times of 40");
    }
}
