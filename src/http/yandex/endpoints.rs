//! Where the services are: `ApiEndpointService`, the first thing that a client asks. All of them are here, under the host
//! that the client has reached us by, so that a certificate that was good for that call is good for the next.

use tonic::{Request, Response, Status};

use super::asked::{Asked, taken};
use super::proto::endpoint::api_endpoint_service_server::ApiEndpointService;
use super::proto::endpoint::{ApiEndpoint, GetApiEndpointRequest, ListApiEndpointsRequest, ListApiEndpointsResponse};

/// What clients call the services that are here.
const IDS: [&str; 5] = ["endpoint", "iam", "operation", "serverless-containers", "serverless-functions"];

/// Where this server is reached.
#[derive(Clone, Debug)]
pub struct Places {
    /// The port of gRPC; `None` where it is switched off.
    pub grpc_port: Option<u16>,
    /// Where functions are invoked: `http://127.0.0.1:8090`.
    pub base: String,
}

/// The service.
pub(super) struct Endpoints {
    places: Places,
}

impl Endpoints {
    pub(super) const fn new(places: Places) -> Self {
        Self { places }
    }

    fn endpoint(&self, asked: &Asked, id: &str) -> Result<ApiEndpoint, Status> {
        let Some(port) = self.places.grpc_port else {
            return Err(Status::failed_precondition(
                "gRPC is switched off here: start the server without `--grpc-listen none`",
            ));
        };
        Ok(ApiEndpoint { id: id.to_owned(), address: format!("{}:{port}", asked.host) })
    }
}

#[tonic::async_trait]
impl ApiEndpointService for Endpoints {
    async fn get(&self, request: Request<GetApiEndpointRequest>) -> Result<Response<ApiEndpoint>, Status> {
        let (asked, GetApiEndpointRequest { api_endpoint_id: id }) = taken(request)?;
        if !IDS.contains(&id.as_str()) {
            let told: String = id.chars().take(100).collect();
            return Err(Status::not_found(format!("there is no service `{told}` here: there are {}", IDS.join(", "))));
        }
        self.endpoint(&asked, &id).map(Response::new)
    }

    async fn list(
        &self,
        request: Request<ListApiEndpointsRequest>,
    ) -> Result<Response<ListApiEndpointsResponse>, Status> {
        let (asked, _) = taken(request)?;
        let endpoints = IDS.iter().map(|id| self.endpoint(&asked, id)).collect::<Result<_, _>>()?;
        Ok(Response::new(ListApiEndpointsResponse { endpoints, next_page_token: String::new() }))
    }
}
