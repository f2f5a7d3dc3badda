//! What the runtime's errors are in gRPC, and what gRPC's are in HTTP: one line each.

use axum::http::StatusCode as S;
use tonic::{Code, Status};

use super::rules::Broken;
use crate::access::NotAllowed;
use crate::http::problem::Problem;
use crate::operations::Failed;
use crate::runtime::Error;
use crate::store::StoreError;

/// An error of the runtime. What it is in HTTP decides; two are told apart besides.
pub(super) fn status(error: impl Into<Error>) -> Status {
    let problem = Problem::from(error.into());
    Status::new(code(problem.status(), problem.code()), problem.detail())
}

/// An error that was rendered for HTTP.
pub(super) fn of_problem(problem: &Problem) -> Status {
    Status::new(code(problem.status(), problem.code()), problem.detail())
}

/// A refusal.
pub(super) fn not_allowed(refused: NotAllowed) -> Status {
    status(Error::NotAllowed(refused))
}

/// A fault of the store.
pub(super) fn unkept(error: StoreError) -> Status {
    status(Error::Store(error))
}

/// A field that is not as it must be.
pub(super) fn invalid(field: &str, why: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {why}"))
}

impl From<Broken> for Status {
    fn from(Broken { field, why }: Broken) -> Self {
        invalid(&field, why)
    }
}

/// An error as operations keep it.
pub(super) fn failed(status: &Status) -> Failed {
    Failed { code: status.code() as i32, message: status.message().to_owned() }
}

fn code(status: S, code: &str) -> Code {
    match status {
        _ if code == "function_exists" => Code::AlreadyExists,
        S::UNAUTHORIZED => Code::Unauthenticated,
        S::FORBIDDEN => Code::PermissionDenied,
        S::NOT_FOUND => Code::NotFound,
        S::REQUEST_TIMEOUT | S::GATEWAY_TIMEOUT => Code::DeadlineExceeded,
        S::CONFLICT => Code::FailedPrecondition,
        S::TOO_MANY_REQUESTS | S::INSUFFICIENT_STORAGE => Code::ResourceExhausted,
        S::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_client_error() => Code::InvalidArgument,
        _ => Code::Internal,
    }
}

/// The status of an answer over REST.
pub(super) fn http(code: Code) -> S {
    match code {
        Code::Ok => S::OK,
        Code::FailedPrecondition | Code::InvalidArgument | Code::OutOfRange => S::BAD_REQUEST,
        Code::Unauthenticated => S::UNAUTHORIZED,
        Code::PermissionDenied => S::FORBIDDEN,
        Code::NotFound => S::NOT_FOUND,
        Code::Aborted | Code::AlreadyExists => S::CONFLICT,
        Code::ResourceExhausted => S::TOO_MANY_REQUESTS,
        Code::Cancelled | Code::DeadlineExceeded => S::GATEWAY_TIMEOUT,
        Code::Unimplemented => S::NOT_IMPLEMENTED,
        Code::Unavailable => S::SERVICE_UNAVAILABLE,
        Code::DataLoss | Code::Internal | Code::Unknown => S::INTERNAL_SERVER_ERROR,
    }
}
