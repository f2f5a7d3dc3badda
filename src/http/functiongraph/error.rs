//! Errors of this dialect: `{"error_code", "error_msg"}`, and which of the service's codes each of ours has.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::access::NotAllowed;
use crate::engine::Refused;
use crate::http::problem::{FAULT_HEADER, Fault, Problem};
use crate::model::names::{FunctionPath, Qualifier};
use crate::registry::RegistryError;
use crate::runtime::Error;

/// A code of the service, and the status that it comes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Code {
    status: u16,
    text: &'static str,
}

/// Declares the codes.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $text:literal,)*) => {
        impl Code {
            $($(#[$doc])* pub(super) const $name: Self = Self { status: $status, text: $text };)*

            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

codes! {
    INVALID_PARAMETER = 400 "FSS.0400",
    UNAUTHENTICATED = 401 "FSS.0401",
    FORBIDDEN = 403 "FSS.0403",
    NOT_FOUND = 404 "FSS.0404",
    /// The body has not the form that it must have.
    NOT_JSON = 406 "FSS.0406",
    TIMEOUT = 408 "FSS.0408",
    CONFLICT = 409 "FSS.0409",
    DEPENDENCY = 424 "FSS.0424",
    TOO_MANY_REQUESTS = 429 "FSS.0429",
    INTERNAL = 500 "FSS.0500",
    BAD_GATEWAY = 502 "FSS.0502",
    UNAVAILABLE = 503 "FSS.0503",
    GATEWAY_TIMEOUT = 504 "FSS.0504",
    QUERY = 400 "FSS.1001",
    NAME = 400 "FSS.1002",
    HANDLER = 400 "FSS.1003",
    PACKAGE = 400 "FSS.1004",
    RUNTIME = 400 "FSS.1005",
    CODE_TYPE = 400 "FSS.1006",
    MEMORY = 400 "FSS.1007",
    TIME = 400 "FSS.1008",
    USER_DATA = 400 "FSS.1009",
    CODE_URL = 400 "FSS.1010",
    CODE = 400 "FSS.1011",
    CODE_MISSING = 400 "FSS.1012",
    FILE_TYPE = 400 "FSS.1013",
    ALIAS = 400 "FSS.1014",
    VERSION = 400 "FSS.1015",
    NOTHING_TO_PUBLISH = 400 "FSS.1016",
    USER_DATA_ITEMS = 400 "FSS.1017",
    USER_DATA_SIZE = 400 "FSS.1018",
    DESCRIPTION = 400 "FSS.1019",
    TOO_MANY_FUNCTIONS = 403 "FSS.1041",
    TOO_MANY_VERSIONS = 403 "FSS.1042",
    TOO_MANY_ALIASES = 403 "FSS.1043",
    FUNCTION_UNKNOWN = 404 "FSS.1051",
    VERSION_UNKNOWN = 404 "FSS.1052",
    ALIAS_UNKNOWN = 404 "FSS.1053",
    FUNCTION_EXISTS = 409 "FSS.1061",
    VERSION_EXISTS = 409 "FSS.1062",
    ALIAS_EXISTS = 409 "FSS.1063",
    /// An alias names the version already.
    VERSION_HAS_ALIAS = 409 "FSS.1066",
    PACKAGE_SIZE = 413 "FSS.1071",
    BODY_SIZE = 413 "FSS.1201",
    OTHER_VERSION = 400 "FSS.1091",
    WEIGHT = 400 "FSS.1092",
    /// An alias's other version is its own.
    SAME_VERSION = 400 "FSS.1093",
    URN = 400 "FSS.1309",
    INITIALIZER = 400 "FSS.1404",
    INITIALIZER_TIME = 400 "FSS.1405",
}

impl Code {
    /// The status that it comes with. A type of its own cannot be had in a table of constants: a code that is no error
    /// would be one of ours.
    pub(super) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// As it is sent.
    pub(super) const fn as_str(self) -> &'static str {
        self.text
    }
}

/// An error on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FssError {
    pub(super) code: Code,
    pub(super) message: String,
    retry_after: Option<Duration>,
}

impl FssError {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// A parameter that cannot be what it is.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(Code::INVALID_PARAMETER, message)
    }

    /// A function that is not there.
    pub(super) fn no_function(path: &FunctionPath) -> Self {
        Self::new(Code::FUNCTION_UNKNOWN, format!("function '{}' not exist", path.name.base()))
    }

    /// The same with another code, for a field that has its own.
    pub(super) fn coded(self, code: Code) -> Self {
        Self { code, ..self }
    }

    /// The same where a function is run: what is not there has one code then.
    pub(super) fn of_invocation(self) -> Self {
        if self.code.status == 404 { self.coded(Code::NOT_FOUND) } else { self }
    }

    pub(super) fn into_response(self) -> Response {
        let status = self.code.status();
        let body = json!({ "error_code": self.code.as_str(), "error_msg": self.message });
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let fault = if status.is_client_error() { Fault::Caller } else { Fault::Platform };
        headers.insert(FAULT_HEADER, HeaderValue::from_static(fault.as_str()));
        if let Some(wait) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)));
        }
        response
    }
}

impl From<NotAllowed> for FssError {
    fn from(refused: NotAllowed) -> Self {
        let code = match refused {
            NotAllowed::Denied(_) => Code::FORBIDDEN,
            NotAllowed::Unauthenticated => Code::UNAUTHENTICATED,
        };
        Self::new(code, refused.to_string())
    }
}

/// What is refused before it is one of this dialect's requests, and what has no code of its own here: the code that goes
/// with its status.
impl From<Problem> for FssError {
    fn from(problem: Problem) -> Self {
        let code = match problem.status().as_u16() {
            401 => Code::UNAUTHENTICATED,
            403 => Code::FORBIDDEN,
            404 => Code::NOT_FOUND,
            408 => Code::TIMEOUT,
            409 => Code::CONFLICT,
            413 => Code::BODY_SIZE,
            424 => Code::DEPENDENCY,
            429 => Code::TOO_MANY_REQUESTS,
            502 => Code::BAD_GATEWAY,
            503 | 507 => Code::UNAVAILABLE,
            504 => Code::GATEWAY_TIMEOUT,
            400..=499 => Code::INVALID_PARAMETER,
            _ => Code::INTERNAL,
        };
        Self { code, message: problem.detail().to_owned(), retry_after: problem.wait() }
    }
}

impl From<Error> for FssError {
    fn from(error: Error) -> Self {
        let code = match &error {
            Error::Registry(RegistryError::FunctionUnknown(path)) => return Self::no_function(path),
            Error::Registry(RegistryError::VersionUnknown { qualifier: Qualifier::Alias(_), .. }) => {
                Code::ALIAS_UNKNOWN
            }
            Error::Registry(RegistryError::VersionUnknown { .. }) => Code::VERSION_UNKNOWN,
            // The service has no cycles, since it does not look; here they are a configuration that is wrong. What it does
            // not know to cancel is a parameter that is.
            Error::Registry(RegistryError::Cycle(_)) | Error::InvocationUnknown(_) => Code::INVALID_PARAMETER,
            Error::Disabled(_) => return Self::new(Code::TOO_MANY_REQUESTS, "Function Disabled"),
            Error::Registry(RegistryError::FunctionExists(_)) => Code::FUNCTION_EXISTS,
            Error::Registry(RegistryError::Module(refused)) if !refused.is_ours() => match refused {
                Refused::ManyFunctions { .. }
                | Refused::MissingEntrypoint { .. }
                | Refused::MissingExport { .. }
                | Refused::WrongSignature { .. } => Code::HANDLER,
                Refused::TooLarge { .. } => Code::PACKAGE_SIZE,
                _ => Code::CODE,
            },
            Error::Registry(RegistryError::Environment(_)) => Code::USER_DATA,
            _ => return Problem::from(error).into(),
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_an_error_and_none_stands_twice() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            assert!(Code::ALL[..at].iter().all(|other| other.text != code.text), "{code:?} stands twice");
        }
    }

    #[test]
    fn code_that_the_runtime_could_not_compile_is_not_the_callers_fault() {
        let code = |refused| FssError::from(Error::Registry(RegistryError::Module(refused))).code;
        let detail = "why".to_owned();
        assert_eq!(code(Refused::Failed { detail: detail.clone() }), Code::UNAVAILABLE);
        assert_eq!(code(Refused::NoRoom { detail: detail.clone() }), Code::UNAVAILABLE);
        assert_eq!(code(Refused::Malformed { detail }), Code::CODE);
    }

    #[test]
    fn a_function_that_is_not_there_is_named_and_has_one_code_where_it_is_run() {
        let path = FunctionPath { namespace: "p".parse().unwrap(), name: "shop.test".parse().unwrap() };
        let error = FssError::from(Error::Registry(RegistryError::FunctionUnknown(path)));
        assert_eq!((error.code, &*error.message), (Code::FUNCTION_UNKNOWN, "function 'test' not exist"));
        assert_eq!(error.of_invocation().code, Code::NOT_FOUND);
    }
}
