//! `/v1/webhooks/keys`: what the webhooks of a namespace are signed with, for those who check that.

use axum::Json;
use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, Uri};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::query::{self, Within, bad};
use crate::http::problem::Problem;
use crate::model::bounds;
use crate::model::time::parse_duration;
use crate::outbound::SigningKey;
use crate::runtime::Runtime;

/// Keys are for nobody else's memory.
type Shown = ([(HeaderName, &'static str); 1], Json<KeysOut>);

/// What a namespace signs with, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookKeys)]
pub(super) struct KeysOut {
    keys: Vec<KeyOut>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = WebhookKey)]
struct KeyOut {
    key: String,
    #[schema(format = DateTime)]
    created_at: String,
    /// Until then, where a newer one is there.
    signs_until: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    namespace: Option<String>,
    overlap: Option<String>,
}

pub(super) async fn keys(State(runtime): State<Runtime>, uri: Uri) -> Result<Shown, Problem> {
    let which: Within = query::query(&uri)?;
    Ok(shown(&runtime.webhook_keys(&which.namespace()?).await?))
}

pub(super) async fn rotate(State(runtime): State<Runtime>, uri: Uri) -> Result<Shown, Problem> {
    let rotation: Rotation = query::query(&uri)?;
    let overlap = rotation.overlap.as_deref().map(parse_duration).transpose();
    let overlap = overlap.map_err(|error| bad("bad_query", format!("overlap: {error}")))?;
    let namespace = query::namespace(rotation.namespace.as_deref())?;
    Ok(shown(&runtime.rotate_webhook_keys(&namespace, overlap.unwrap_or(bounds::DEFAULT_KEY_OVERLAP)).await?))
}

fn shown(keys: &[SigningKey]) -> Shown {
    let shown = |key: &SigningKey| KeyOut {
        key: key.key.expose().to_owned(),
        created_at: key.created.to_string(),
        signs_until: key.until.map(|until| until.to_string()),
    };
    ([(CACHE_CONTROL, "no-store")], Json(KeysOut { keys: keys.iter().map(shown).collect() }))
}
