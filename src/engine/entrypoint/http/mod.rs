//! `wasi:http` components: an HTTP request goes in, an HTTP response comes out, and its status says how it went.

mod request;
mod response;

mod wasi_0_2;
mod wasi_0_3;

pub(in crate::engine) use wasi_0_3::{Http03, begin};

use http::Response;
use wasmtime::component::Component;
use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

use self::response::Collected;
use self::wasi_0_2::Http02;
use super::{End, Run};
use crate::engine::call::Reply;
use crate::engine::code::Code;
use crate::engine::host::Linkers;
use crate::engine::refused::Refused;

/// An http function, ready to run.
pub(in crate::engine) enum Http {
    Wasi02(Http02),
    Wasi03(Http03),
}

/// What the guest sets as its response.
type Set = Result<Response<HyperOutgoingBody>, ErrorCode>;

pub(super) fn is_offered_by(component: &Component) -> bool {
    wasi_0_2::is_offered_by(component) || wasi_0_3::is_offered_by(component)
}

/// Judges the output of a program that answers requests, as a component's response is.
pub(super) fn judge_output(output: Result<Reply, String>) -> End {
    response::judge(match output {
        Ok(reply) => Collected::Whole(reply),
        Err(why) => Collected::Broken(format!("the program did not answer as CGI has it: {why}")),
    })
}

impl Http {
    /// Of a component that offers both, the one that is no experiment.
    pub(super) fn new(linkers: &Linkers, code: &Code) -> Result<Self, Refused> {
        match code {
            Code::Component(component) if wasi_0_3::is_offered_by(component) && !wasi_0_2::is_offered_by(component) => {
                Http03::new(linkers, component).map(Self::Wasi03)
            }
            Code::Component(component) => Http02::new(linkers, component).map(Self::Wasi02),
            Code::Core(_) => Err(wasi_0_2::wrong()),
        }
    }

    pub(super) async fn run(&self, run: Run<'_>) -> wasmtime::Result<End> {
        match self {
            Self::Wasi02(http) => http.run(run).await,
            Self::Wasi03(http) => http.run(run).await,
        }
    }
}
