//! `OperationService`, and operations as this dialect shows them.

use prost::Name;
use prost_types::Timestamp as ProtoTimestamp;
use tonic::{Request, Response, Status};

use super::asked::{Asked, taken};
use super::pages::Page;
use super::proto::operation::operation_service_server::OperationService;
use super::proto::operation::{
    self as proto_operation, CancelOperationRequest, GetOperationRequest, operation::Result as Shown,
};
use super::proto::{RpcStatus, any_of, name_of};
use super::status;
use crate::access::Caller;
use crate::model::access::{Permission, Scope};
use crate::model::names::Namespace;
use crate::model::time::Timestamp;
use crate::operations::{Begun, Ended, Failed, Operation, OperationId, Packed, Progress};
use crate::runtime::Runtime;

/// The service.
pub(super) struct OperationsOf {
    runtime: Runtime,
}

/// What is about to be done.
pub(super) struct About<'a> {
    /// In words.
    pub(super) description: &'a str,
    /// Whose it is.
    pub(super) namespace: &'a Namespace,
    /// The id of what is changed.
    pub(super) subject: &'a str,
}

impl About<'_> {
    /// The operation that is to be, with what clients are told of it before it is done.
    pub(super) fn begun(&self, asked: &Asked, metadata: &impl Name) -> Begun {
        Begun {
            description: self.description.to_owned(),
            created_by: asked.name(),
            namespace: self.namespace.clone(),
            subject: self.subject.to_owned(),
            metadata: packed(metadata),
        }
    }
}

/// A message as operations keep it.
pub(super) fn packed(message: &impl Name) -> Packed {
    Packed { name: name_of(message), bytes: message.encode_to_vec() }
}

/// What came of an operation.
pub(super) fn ended(metadata: Option<&impl Name>, response: &impl Name) -> Ended {
    Ended { metadata: metadata.map(|it| packed(it)), response: packed(response) }
}

/// Shows an operation that is done.
pub(super) async fn done(
    runtime: &Runtime,
    begun: Begun,
    response: &impl Name,
) -> Result<Response<proto_operation::Operation>, Status> {
    let operation = runtime.operations().done(begun, packed(response)).await.map_err(status::unkept)?;
    Ok(Response::new(shown(operation)))
}

/// Begins an operation, and shows it as it is after a moment.
pub(super) async fn run(
    runtime: &Runtime,
    begun: Begun,
    work: impl Future<Output = Result<Ended, Status>> + Send + 'static,
) -> Result<Response<proto_operation::Operation>, Status> {
    let work = async move { work.await.map_err(|status| status::failed(&status)) };
    let operation = runtime.operations().run(begun, work).await.map_err(status::unkept)?;
    Ok(Response::new(shown(operation)))
}

/// A page of operations on `subject`, the newest first, and where the next goes on.
pub(super) async fn listed(runtime: &Runtime, subject: &str, page: &Page) -> Result<(Vec<Operation>, String), Status> {
    let after = page.after.as_deref().map(str::parse::<OperationId>).transpose().map_err(|_| Page::wrong())?;
    let mut found = runtime.operations().of(subject, after, page.size + 1).await.map_err(status::unkept)?;
    let is_more = found.len() > page.size;
    found.truncate(page.size);
    let last = found.last().filter(|_| is_more).map(|last| last.id.to_string());
    Ok((found, last.unwrap_or_default()))
}

/// An operation as clients see it.
pub(super) fn shown(operation: Operation) -> proto_operation::Operation {
    let (done, result) = match operation.progress {
        Progress::Running => (false, None),
        Progress::Done(Packed { name, bytes }) => (true, Some(Shown::Response(any_of(name, bytes)))),
        Progress::Failed(Failed { code, message }) => {
            (true, Some(Shown::Error(RpcStatus { code, message, details: Vec::new() })))
        }
    };
    proto_operation::Operation {
        id: operation.id.to_string(),
        description: operation.description,
        created_at: Some(time(operation.created)),
        created_by: operation.created_by,
        modified_at: Some(time(operation.modified)),
        done,
        metadata: Some(any_of(operation.metadata.name, operation.metadata.bytes)),
        result,
    }
}

/// A time as messages have it.
pub(super) fn time(at: Timestamp) -> ProtoTimestamp {
    let (seconds, ms) = (at.as_ms() / 1_000, at.as_ms() % 1_000);
    ProtoTimestamp {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: i32::try_from(ms * 1_000_000).unwrap_or_default(),
    }
}

impl OperationsOf {
    pub(super) const fn new(runtime: Runtime) -> Self {
        Self { runtime }
    }

    /// The operation, for whoever began it or may see what it is about.
    async fn find(&self, asked: &Asked, id: &str) -> Result<Operation, Status> {
        let told: String = id.chars().take(100).collect();
        let unknown = || Status::not_found(format!("there is no operation `{told}`: operations are kept for 7 days"));
        let id: OperationId = id.parse().map_err(|_| unknown())?;
        let operation = self.runtime.operations().get(id).await.map_err(status::unkept)?.ok_or_else(unknown)?;
        let began = matches!(&asked.caller, Caller::Account(_)) && operation.created_by == asked.name();
        if !began {
            asked.check(&self.runtime, Permission::FunctionsView, &Scope::Namespace(operation.namespace.clone()))?;
        }
        Ok(operation)
    }
}

#[tonic::async_trait]
impl OperationService for OperationsOf {
    async fn get(&self, request: Request<GetOperationRequest>) -> Result<Response<proto_operation::Operation>, Status> {
        let (asked, GetOperationRequest { operation_id }) = taken(request)?;
        Ok(Response::new(shown(self.find(&asked, &operation_id).await?)))
    }

    /// What is begun here is carried to its end: half a change would help nobody.
    async fn cancel(
        &self,
        request: Request<CancelOperationRequest>,
    ) -> Result<Response<proto_operation::Operation>, Status> {
        let (asked, CancelOperationRequest { operation_id }) = taken(request)?;
        let operation = self.find(&asked, &operation_id).await?;
        asked.changes(format!("operation {}", operation.id));
        match operation.progress {
            Progress::Running => Err(Status::failed_precondition(format!(
                "the operation {} cannot be cancelled: ask for it until it is done",
                operation.id
            ))),
            Progress::Done(_) | Progress::Failed(_) => Ok(Response::new(shown(operation))),
        }
    }
}
