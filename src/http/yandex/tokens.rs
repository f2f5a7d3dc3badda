//! `IamTokenService`: clients that hold something else than a token exchange it here. Whoever brings a token of this server
//! gets it back, for it is what the other calls want; at a server that asks nobody anything will do.

use std::time::Duration;

use tonic::{Request, Response, Status};

use super::asked::{Asked, taken};
use super::operations::time;
use super::proto::iam::create_iam_token_request::Identity;
use super::proto::iam::iam_token_service_server::IamTokenService;
use super::proto::iam::{
    CreateIamTokenForServiceAccountRequest, CreateIamTokenRequest, CreateIamTokenResponse, RevokeIamTokenRequest,
    RevokeIamTokenResponse,
};
use super::status;
use crate::access::{Caller, NotAllowed};
use crate::model::access::{Permission, Scope};
use crate::runtime::{AccountPath, CredentialKind, Runtime};

/// How long a token is good for: as that service's are.
const GOOD_FOR: Duration = Duration::from_secs(12 * 3_600);
/// What clients get at a server that asks nobody who they are.
const ANYBODY: &str = "nobody-is-asked-here";

/// The service.
pub(super) struct Tokens {
    runtime: Runtime,
}

impl Tokens {
    pub(super) const fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    fn answer(&self, token: String) -> Response<CreateIamTokenResponse> {
        let expires = time(self.runtime.now() + GOOD_FOR);
        Response::new(CreateIamTokenResponse { iam_token: token, expires_at: Some(expires) })
    }

    fn exchanged(&self, identity: Option<Identity>) -> Result<String, Status> {
        if !self.runtime.authenticates() {
            return Ok(ANYBODY.to_owned());
        }
        match identity {
            Some(Identity::YandexPassportOauthToken(token)) => {
                let known = self.runtime.access().bearer(&token);
                known.map_err(|refused| Status::unauthenticated(refused.to_string()))?;
                Ok(token)
            }
            Some(Identity::Jwt(_)) | None => Err(Status::unauthenticated(
                "jwt: keys that sign such are unknown here: make a token with `tidemill access tokens create`, and use it \
                 as the IAM token",
            )),
        }
    }
}

#[tonic::async_trait]
impl IamTokenService for Tokens {
    async fn create(
        &self,
        request: Request<CreateIamTokenRequest>,
    ) -> Result<Response<CreateIamTokenResponse>, Status> {
        let (asked, CreateIamTokenRequest { identity }) = taken(request)?;
        asked.changes("token");
        Ok(self.answer(self.exchanged(identity)?))
    }

    async fn create_for_service_account(
        &self,
        request: Request<CreateIamTokenForServiceAccountRequest>,
    ) -> Result<Response<CreateIamTokenResponse>, Status> {
        let (asked, CreateIamTokenForServiceAccountRequest { service_account_id: id }) = taken(request)?;
        somebody(&asked)?;
        let unknown = || Status::not_found(format!("there is no service account `{id}`"));
        let account = self.runtime.access().account_of(&id).ok_or_else(unknown)?;
        asked.changes(format!("account {}/{}", account.namespace, account.name));
        let on = Scope::Namespace(account.namespace.clone());
        asked.check(&self.runtime, Permission::AccessEdit, &on)?;
        let path = AccountPath { namespace: account.namespace.clone(), name: account.name.clone() };
        let made = self.runtime.create_credential(&asked.caller, path, CredentialKind::Token, Some(GOOD_FOR));
        let made = made.await.map_err(status::status)?;
        Ok(self.answer((*made.secret).clone()))
    }

    /// Whoever has a token may end it.
    async fn revoke(
        &self,
        request: Request<RevokeIamTokenRequest>,
    ) -> Result<Response<RevokeIamTokenResponse>, Status> {
        let (asked, RevokeIamTokenRequest { iam_token: token }) = taken(request)?;
        let refused = |refused: crate::access::Refused| Status::not_found(format!("iam_token: {refused}"));
        let who = self.runtime.access().bearer(&token).map_err(refused)?;
        asked.changes(format!("account {}/{}", who.namespace, who.name));
        let id = token.split('_').nth(1).unwrap_or_default().to_owned();
        let path = AccountPath { namespace: who.namespace.clone(), name: who.name.clone() };
        // It was shown to be known: whoever shows it acts as the account.
        self.runtime.revoke_credential(&Caller::Account(who.clone()), path, id).await.map_err(status::status)?;
        Ok(Response::new(RevokeIamTokenResponse { subject_id: who.id.to_string() }))
    }
}

fn somebody(asked: &Asked) -> Result<(), Status> {
    match asked.caller {
        Caller::Nobody => Err(status::not_allowed(NotAllowed::Unauthenticated)),
        Caller::Account(_) | Caller::Trusted => Ok(()),
    }
}
