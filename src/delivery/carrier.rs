//! The kinds of destination outside the runtime, and who brings messages to each.

use super::{Message, NotSent};
use crate::model::bounds;
use crate::model::destination::{Outside, OutsideKind, Terms};
use crate::outbound::{Post, Webhooks};
use crate::registry::{Checked, TargetAsked, TargetRefused, Targets};

/// Brings messages to every kind of destination there is. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Carrier {
    webhooks: Webhooks,
}

impl Carrier {
    /// A carrier with these ways out.
    pub fn new(webhooks: Webhooks) -> Self {
        Self { webhooks }
    }

    /// The webhooks, whose keys are somebody's to show and to rotate.
    pub fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// Tries once to bring `message` to `to`, in at most [`bounds::DELIVERY_TRY`].
    pub async fn send(&self, to: &Outside, terms: &Terms, message: &Message) -> Result<(), NotSent> {
        let sent = tokio::time::timeout(bounds::DELIVERY_TRY, self.sent(to, terms, message)).await;
        sent.unwrap_or_else(|_elapsed| Err(NotSent::retry(format!("it took longer than {:?}", bounds::DELIVERY_TRY))))
    }

    async fn sent(&self, to: &Outside, terms: &Terms, message: &Message) -> Result<(), NotSent> {
        match (to.kind, &terms.connection) {
            (OutsideKind::Webhook, _) => {
                let Message { id, body, content_type, headers, .. } = message.clone();
                let post = Post { id: id.to_string(), body, content_type, headers };
                self.webhooks.post(&message.namespace, &to.target, &post).await
            }
            (OutsideKind::Object | OutsideKind::Queue | OutsideKind::Stream | OutsideKind::Topic, _) => {
                Err(NotSent::never(missing(to)))
            }
        }
    }
}

impl Targets for Carrier {
    fn check<'a>(&'a self, asked: TargetAsked<'a>) -> Checked<'a> {
        Box::pin(async move {
            match asked.to.kind {
                OutsideKind::Webhook => {
                    let admitted = self.webhooks.admit(&asked.to.target);
                    admitted.map_err(|refused| TargetRefused::NotAllowed(refused.to_string()))
                }
                OutsideKind::Object | OutsideKind::Queue | OutsideKind::Stream | OutsideKind::Topic => {
                    Err(TargetRefused::Missing(missing(asked.to)))
                }
            }
        })
    }
}

fn missing(to: &Outside) -> String {
    format!("nothing here delivers to `{to}`: functions and webhooks are what outcomes can be brought to")
}
