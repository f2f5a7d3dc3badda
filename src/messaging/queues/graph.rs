//! The way of dead letters as a part of the graph: from a queue to where its redrive policy says.

use super::{Parts, QueueError, Queues};
use crate::model::graph::{Edges, Named, Node, Owner};
use crate::model::message_queue::{QueueName, QueuePath, QueueSettings};
use crate::registry::{Changing, Registry};

/// A change of where dead letters go that was looked at.
pub(super) struct Leading {
    changing: Changing,
    owner: Owner,
    edges: Edges,
}

impl Leading {
    /// It is committed.
    pub(super) fn committed(self) {
        self.changing.publish(self.owner, self.edges);
    }
}

impl Queues {
    /// Makes the ways of dead letters a part of the graph from now on, and has changes of them looked at.
    pub fn join(&self, registry: &Registry) {
        let all: Vec<_> = self.parts.catalogue().values().cloned().collect();
        for queue in all {
            registry.adopt(owner(&queue.path), edges(&queue.path, &queue.record().settings));
        }
        drop(self.parts.graph.set(registry.clone())); // the first stays
    }
}

impl Parts {
    /// Refuses settings of a queue by which its dead letters would come back to it. `None` where nobody looks.
    pub(super) async fn leading(
        &self,
        path: &QueuePath,
        settings: &QueueSettings,
    ) -> Result<Option<Leading>, QueueError> {
        let Some(registry) = self.graph.get() else { return Ok(None) };
        let changing = registry.changing().await;
        let (owner, edges) = (owner(path), edges(path, settings));
        changing.check(&owner, &edges).map_err(|cycle| QueueError::Cycle(Box::new(cycle)))?;
        Ok(Some(Leading { changing, owner, edges }))
    }
}

fn owner(path: &QueuePath) -> Owner {
    Owner::Queue(named(path, &path.name))
}

fn edges(path: &QueuePath, settings: &QueueSettings) -> Edges {
    let to = settings.redrive.iter().map(|redrive| &redrive.to);
    to.map(|to| (Node::Queue(named(path, &path.name)), Node::Queue(named(path, to)))).collect()
}

fn named(path: &QueuePath, name: &QueueName) -> Named {
    Named { namespace: path.namespace.clone(), name: name.to_string() }
}
