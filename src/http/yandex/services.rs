//! The services behind both doors, one implementation each: gRPC's own requests come here as they are, those of REST are
//! made into the same (`rest`). Here it is looked at whether anybody in particular asks, and changes are noted.

use std::time::Duration;

use http::{Request, Response};
use tonic::body::Body;
use tonic::service::Routes;
use tonic::{Code, Status};
use tower_service::Service as _;

use super::asked::Asked;
use super::containers::Containers;
use super::endpoints::{Endpoints, Places};
use super::functions::Functions;
use super::operations::OperationsOf;
use super::proto::containers::container_service_server::ContainerServiceServer;
use super::proto::endpoint::api_endpoint_service_server::ApiEndpointServiceServer;
use super::proto::functions::function_service_server::FunctionServiceServer;
use super::proto::iam::iam_token_service_server::IamTokenServiceServer;
use super::proto::operation::operation_service_server::OperationServiceServer;
use super::status;
use super::tokens::Tokens;
use crate::access::{Caller, NotAllowed};
use crate::runtime::Runtime;

/// Bytes of what a request says besides a version's content.
pub(super) const MAX_FIELDS_BYTES: usize = 1_024 * 1_024;
/// The one method that takes such content.
const WITH_CODE: &str = "/yandex.cloud.serverless.functions.v1.FunctionService/CreateVersion";
/// Bytes of a request with it.
pub(super) const MAX_REQUEST_BYTES: usize = 52_428_800 + MAX_FIELDS_BYTES;
/// How long a call may take, its request included: a client that falls silent keeps nothing for longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(300);
/// How the library tells that a request is no message.
const NO_MESSAGE: &str = "failed to decode Protobuf message";
/// Services that ask nobody who they are: they tell where the others are, and how to become somebody.
const OPEN: [&str; 2] = ["/yandex.cloud.endpoint.ApiEndpointService/", "/yandex.cloud.iam.v1.IamTokenService/"];

/// The services. Cheap to clone.
#[derive(Clone)]
pub(in crate::http) struct Services {
    runtime: Runtime,
    routes: Routes,
    /// The same where a request may carry code.
    of_code: Routes,
}

impl Services {
    /// Everything that this dialect answers.
    pub(in crate::http) fn new(runtime: Runtime, places: Places) -> Self {
        let functions = FunctionServiceServer::new(Functions::new(runtime.clone(), places.clone()));
        let containers = ContainerServiceServer::new(Containers::new(runtime.clone(), places.clone()));
        let operations = OperationServiceServer::new(OperationsOf::new(runtime.clone()));
        let of_code = functions.clone().max_decoding_message_size(MAX_REQUEST_BYTES);
        let endpoints = ApiEndpointServiceServer::new(Endpoints::new(places));
        let tokens = IamTokenServiceServer::new(Tokens::new(runtime.clone()));
        let routes = Routes::new(functions.max_decoding_message_size(MAX_FIELDS_BYTES))
            .add_service(containers.max_decoding_message_size(MAX_FIELDS_BYTES))
            .add_service(operations.max_decoding_message_size(MAX_FIELDS_BYTES))
            .add_service(endpoints.max_decoding_message_size(MAX_FIELDS_BYTES))
            .add_service(tokens.max_decoding_message_size(MAX_FIELDS_BYTES));
        Self { runtime, routes: routes.prepare(), of_code: Routes::new(of_code).prepare() }
    }

    pub(super) const fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Whether requests have to say who sends them.
    pub(super) fn asks(&self) -> bool {
        self.runtime.authenticates()
    }

    /// Answers a call, whose path is `/SERVICE/METHOD`.
    pub(super) async fn call(&self, mut request: Request<Body>, asked: Asked) -> Response<Body> {
        let path = request.uri().path().to_owned();
        if let Err(status) = check_known(&asked.caller, &path) {
            return status.into_http();
        }
        request.extensions_mut().insert(asked.clone());
        let mut routes = if path == WITH_CODE { self.of_code.clone() } else { self.routes.clone() };
        let response = match tokio::time::timeout(CALL_TIMEOUT, routes.call(request)).await {
            Ok(Ok(response)) => read_or_blamed(response),
            Ok(Err(error)) => Status::internal(format!("the call failed: {error}")).into_http(),
            Err(_) => {
                let seconds = CALL_TIMEOUT.as_secs();
                Status::deadline_exceeded(format!("the call took longer than {seconds} s")).into_http()
            }
        };
        if is_change(&path) {
            self.note(&path, &asked, &response);
        }
        response
    }

    /// Writes a change down, or that it was refused to somebody.
    fn note(&self, path: &str, asked: &Asked, response: &Response<Body>) {
        let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
        let who = match &asked.caller {
            Caller::Account(who) => format!("{}/{}", who.namespace, who.name),
            Caller::Nobody | Caller::Trusted => String::new(),
        };
        let action = path.trim_start_matches('/').rsplit('.').next().unwrap_or_default().to_owned();
        self.runtime.note_behind(who, action, asked.changed(), status::http(code).as_u16());
    }
}

/// Refuses whoever showed nothing what not everybody may ask.
pub(super) fn check_known(caller: &Caller, path: &str) -> Result<(), Status> {
    if *caller == Caller::Nobody && !OPEN.iter().any(|service| path.starts_with(service)) {
        return Err(status::not_allowed(NotAllowed::Unauthenticated));
    }
    Ok(())
}

/// What is no message at all is its sender's fault, which the library calls ours.
fn read_or_blamed(response: Response<Body>) -> Response<Body> {
    match Status::from_header_map(response.headers()) {
        Some(status) if status.code() == Code::Internal && status.message().starts_with(NO_MESSAGE) => {
            Status::invalid_argument(status.message()).into_http()
        }
        _ => response,
    }
}

/// Whether a method of this path changes something, as its name tells.
fn is_change(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or_default();
    !(method.starts_with("Get") || method.starts_with("List"))
}
