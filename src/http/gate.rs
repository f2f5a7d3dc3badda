//! Who may pass: every request is somebody's, and needs what its route says. Each dialect has a table of its routes
//! (`native/rules`); what stands in no table is let in by nothing. Changes are noted in the audit log, also where nobody
//! is asked.
//!
//! Stands in front of the router, and does nothing but look at method and path for a request that changes nothing at a
//! server that asks nobody who they are.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderName, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use tower_service::Service as _;

use super::body;
use super::dialect::{Dialect, Named};
use super::native::rules::{Matched, matched, may_change};
use super::note::Note;
use super::problem::{Fault, Problem, Unproven};
use super::yandex;
use crate::access::{Caller, NotAllowed, Refused};
use crate::model::access::{Permission, Scope};
use crate::model::bounds;
use crate::runtime::{Error, Runtime};
use crate::signature::{self, Claim, SignatureError};

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: whether the server is alive is nobody's secret.
    Nothing,
    /// To be somebody; what is answered depends on who it is.
    Somebody,
    /// This permission on that.
    This(Permission, Scope),
}

/// Asks who sends a request, and whether it may. Cheap to clone.
#[derive(Clone)]
pub(super) struct Gate {
    runtime: Runtime,
}

/// A request that may pass.
struct Admitted {
    request: Request,
    note: Option<Note>,
}

/// What stands in front of a token.
const BEARER: &str = "Bearer ";
/// Where FunctionGraph's clients put a token that they got elsewhere.
const AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

impl Gate {
    pub(super) const fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    /// Takes a request to its route, if it may pass.
    pub(super) async fn pass(&self, mut routes: Router, request: Request) -> Result<Response, Infallible> {
        let uri = request.uri().clone();
        let (admitted, dialect) = if self.runtime.authenticates() {
            let dialect = Dialect::of(request.method(), request.uri(), request.headers());
            (Box::pin(self.admit(request, dialect)).await, dialect) // large, and not for every server
        } else {
            (Ok(self.let_in(request)), None)
        };
        let Admitted { request, note } = match (admitted, dialect) {
            (Ok(admitted), _) => admitted,
            (Err(problem), None) => return Ok(problem.into_response()),
            (Err(problem), Some(dialect)) => return Ok(dialect.refusal(&uri, problem)),
        };
        let response = routes.call(request).await?;
        if let Some(note) = note {
            note.answered(response.status()).await;
        }
        Ok(response)
    }

    /// For a server that asks nobody.
    fn let_in(&self, request: Request) -> Admitted {
        let (method, uri) = (request.method(), request.uri());
        let note = if may_change(method, uri) {
            matched(method, uri).and_then(|matched| self.note(&matched, &Caller::Trusted, uri.path()))
        } else if *method == Method::GET || *method == Method::HEAD {
            None
        } else {
            let dialect = Dialect::of(method, uri, request.headers());
            dialect.and_then(|dialect| self.note_of(dialect, &request, &Caller::Trusted))
        };
        Admitted { request, note }
    }

    /// Lets a request pass, or says why not. What one of a `dialect` needs is checked there.
    async fn admit(&self, request: Request, dialect: Option<Dialect>) -> Result<Admitted, Problem> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let matched = matched(&method, &uri);
        if let Some(matched) = &matched
            && self.is_public(matched)?
        {
            // What everybody may run gets its callers' headers as they are: it may ask for tokens of its own.
            return Ok(Admitted { request: sent_by(Caller::Nobody, request), note: None });
        }
        if matched.is_none() && dialect == Some(Dialect::Yandex) && yandex::is_for_everyone(&self.runtime, &uri) {
            return Ok(Admitted { request: sent_by(Caller::Nobody, request), note: None });
        }
        let (caller, request) = self.identified(request, dialect).await?;
        let Some(matched) = matched else {
            let Some(dialect) = dialect else { return Err(unknown(&caller, &request)) };
            // What nobody in particular sends is refused there, and would fill the log.
            let known = matches!(caller, Caller::Account(_));
            let note = if known { self.note_of(dialect, &request, &caller) } else { None };
            return Ok(Admitted { request: sent_by(caller, request), note });
        };
        let note = self.note(&matched, &caller, uri.path());
        match self.check(&matched, &caller).await {
            Ok(()) => Ok(Admitted { request: sent_by(caller, request), note }),
            Err(problem) => {
                match note {
                    Some(note) if matches!(caller, Caller::Account(_)) => note.answered(problem.status()).await,
                    Some(note) => note.forgotten(), // anybody could fill the log
                    None => (),
                }
                Err(problem)
            }
        }
    }

    fn is_public(&self, matched: &Matched<'_>) -> Result<bool, Problem> {
        let runs = matched.runs()?;
        let everyone = |on: Scope| self.runtime.access().everyone_may(Permission::FunctionsInvoke, &on);
        Ok(matched.is_open() || runs.is_some_and(everyone))
    }

    async fn check(&self, matched: &Matched<'_>, caller: &Caller) -> Result<(), Problem> {
        if *caller == Caller::Nobody && !self.runtime.access().anything_for_everyone() {
            return Err(nobody()); // nothing is looked up for them
        }
        match matched.need(&self.runtime).await? {
            Need::Somebody if *caller == Caller::Nobody => Err(nobody()),
            Need::Nothing | Need::Somebody => Ok(()),
            Need::This(permission, on) => Ok(self.runtime.check(caller, permission, &on)?),
        }
    }

    /// Who sends it. What showed that is taken out of the request: it is not for the function that gets it.
    async fn identified(&self, mut request: Request, dialect: Option<Dialect>) -> Result<(Caller, Request), Problem> {
        if dialect == Some(Dialect::FunctionGraph)
            && let Some(token) = request.headers_mut().remove(AUTH_TOKEN)
        {
            let token = token.to_str().map_err(|_| incomplete("`X-Auth-Token` has characters that no text has"))?;
            let who = self.runtime.access().bearer(token.trim()).map_err(refused)?;
            return Ok((Caller::Account(who), request));
        }
        let mut shown = request.headers().get_all(AUTHORIZATION).iter();
        let (first, more) = (shown.next().cloned(), shown.next().is_some());
        let Some(first) = first else { return Ok((Caller::Nobody, request)) };
        if more {
            return Err(incomplete("there are several `Authorization` headers"));
        }
        let text = first.to_str().map_err(|_| incomplete("`Authorization` has characters that no text has"))?;
        if text.get(..BEARER.len()).is_some_and(|scheme| scheme.eq_ignore_ascii_case(BEARER)) {
            let who = self.runtime.access().bearer(text[BEARER.len()..].trim()).map_err(refused)?;
            request.headers_mut().remove(AUTHORIZATION);
            return Ok((Caller::Account(who), request));
        }
        let claim = Claim::of(request.headers()).map_err(wrong)?;
        match claim {
            Some(claim) => self.signed(&claim, request).await,
            None => Err(incomplete("`Authorization` is neither a bearer token nor a signature that is known here")),
        }
    }

    /// Whoever signed a request. Its body is read for that, but only for a key that there is and a time that fits.
    async fn signed(&self, claim: &Claim, request: Request) -> Result<(Caller, Request), Problem> {
        claim.check_time(self.runtime.now()).map_err(wrong)?;
        let (who, secret) = self.runtime.access().key(claim.key_id()).await.map_err(refused)?;
        let (mut head, mut rest) = request.into_parts();
        let mut whole = Bytes::new();
        if claim.covers_body(&head.headers) {
            whole = body::read(rest, bounds::MAX_SIGNED_BODY_BYTES, "signed body").await?;
            rest = Body::from(whole.clone());
        }
        let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
        let signed = signature::Request { method: head.method.as_str(), path, query, headers: &head.headers };
        claim.verify(&signed, &secret, &whole).map_err(wrong)?;
        head.headers.remove(AUTHORIZATION);
        Ok((Caller::Account(who), Request::from_parts(head, rest)))
    }

    fn note_of(&self, dialect: Dialect, request: &Request, caller: &Caller) -> Option<Note> {
        let change = dialect.change(request.method(), request.uri())?;
        Some(Note::new(&self.runtime, caller, change))
    }

    fn note(&self, matched: &Matched<'_>, caller: &Caller, path: &str) -> Option<Note> {
        let change = || Named { action: matched.action(), on: matched.target(path) };
        matched.is_change().then(|| Note::new(&self.runtime, caller, change()))
    }
}

fn sent_by(caller: Caller, mut request: Request) -> Request {
    request.extensions_mut().insert(caller);
    request
}

/// Who sent the request, for what of it depends on that.
impl FromRequestParts<Runtime> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, runtime: &Runtime) -> Result<Self, Infallible> {
        let unasked = if runtime.authenticates() { Self::Nobody } else { Self::Trusted };
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(unasked))
    }
}

/// What stands in no table is shown to nobody, and whoever showed nothing is told no more than that.
fn unknown(caller: &Caller, request: &Request) -> Problem {
    if *caller == Caller::Nobody {
        return nobody();
    }
    let detail = format!("there is nothing at `{}` for {}", request.uri().path(), request.method());
    Problem::new(StatusCode::NOT_FOUND, "no_such_path", detail)
}

fn nobody() -> Problem {
    Error::NotAllowed(NotAllowed::Unauthenticated).into()
}

fn refused(refused: Refused) -> Problem {
    match refused {
        Refused::Expired | Refused::Unknown => Problem::unauthenticated(Unproven::Unknown, refused.to_string()),
        Refused::Unopened(error) => {
            tracing::error!(%error, "a signature could not be checked");
            let detail = "the signature cannot be checked: the log has more".to_owned();
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "secret_key_differs", detail).fault(Fault::Platform)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is passed as a function")]
fn wrong(error: SignatureError) -> Problem {
    let what = match error {
        SignatureError::Body(_) | SignatureError::HeaderUnknown(_) | SignatureError::Wrong => Unproven::Wrong,
        SignatureError::Malformed(_) | SignatureError::NoHost => Unproven::Incomplete,
        SignatureError::Time { .. } => Unproven::Untimely,
    };
    Problem::unauthenticated(what, error.to_string())
}

fn incomplete(detail: &str) -> Problem {
    Problem::unauthenticated(Unproven::Incomplete, detail.to_owned())
}
