//! The kinds of destination outside the runtime, and who brings messages to each.

use super::{Builtin, Message, NotSent, Services};
use crate::access::Access;
use crate::model::bounds;
use crate::model::destination::{Outside, OutsideKind, Terms};
use crate::outbound::{Post, Webhooks};
use crate::registry::{Checked, TargetAsked, TargetRefused, Targets};

/// Brings messages to every kind of destination there is. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Carrier {
    webhooks: Webhooks,
    services: Services,
    builtin: Builtin,
    access: Option<Access>,
}

impl Carrier {
    /// A carrier with these ways out.
    pub fn new(webhooks: Webhooks, services: Services, builtin: Builtin) -> Self {
        Self { webhooks, services, builtin, access: None }
    }

    /// The same, which asks whether the accounts that destinations name may write there.
    pub fn asking(self, access: Access) -> Self {
        Self { access: Some(access), ..self }
    }

    /// Tries once to bring `message` to `to`, in at most [`bounds::DELIVERY_TRY`].
    pub async fn send(&self, to: &Outside, terms: &Terms, message: &Message) -> Result<(), NotSent> {
        // At each try, since roles are taken away.
        if let (Some(access), Some(account)) = (&self.access, &terms.service_account) {
            let may = access.may_write(&message.namespace, account, to, terms);
            may.map_err(|denied| NotSent::never(denied.to_string()))?;
        }
        let sent = tokio::time::timeout(bounds::DELIVERY_TRY, self.sent(to, terms, message)).await;
        sent.unwrap_or_else(|_elapsed| Err(NotSent::retry(format!("it took longer than {:?}", bounds::DELIVERY_TRY))))
    }

    async fn sent(&self, to: &Outside, terms: &Terms, message: &Message) -> Result<(), NotSent> {
        match to.kind {
            OutsideKind::Webhook => {
                let Message { id, body, content_type, headers, .. } = message.clone();
                let post = Post { id: id.to_string(), body, content_type, headers };
                self.webhooks.post(&message.namespace, &to.target, &post).await
            }
            OutsideKind::Object | OutsideKind::Queue | OutsideKind::Stream | OutsideKind::Topic => {
                if let Some(sent) = self.services.send(to, terms, message).await {
                    return sent;
                }
                let sent = self.builtin.send(to, message).await;
                sent.unwrap_or_else(|| Err(NotSent::never(missing(to))))
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
                    if let Some(checked) = self.services.check(asked.namespace, asked.to, asked.terms).await {
                        return checked;
                    }
                    match self.builtin.exists(asked.namespace, asked.to) {
                        Some(true) => Ok(()),
                        Some(false) | None => Err(TargetRefused::Missing(missing(asked.to))),
                    }
                }
            }
        })
    }
}

fn missing(to: &Outside) -> String {
    let make = match to.kind {
        OutsideKind::Queue => "make it with `tidemill queues create`, or name the connection that leads to it",
        OutsideKind::Stream => "make it with `tidemill streams create`, or name the connection that leads to it",
        OutsideKind::Topic => "make it with `tidemill topics create`",
        OutsideKind::Object | OutsideKind::Webhook => "nothing here delivers to it",
    };
    format!("there is no `{to}`: {make}")
}
