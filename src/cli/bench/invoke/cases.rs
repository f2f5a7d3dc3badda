//! The kinds of functions that are measured: what is deployed for each, what it is asked, and what it has to answer.

use std::net::SocketAddr;

use bytes::Bytes;
use clap::{Args as _, ValueEnum};

use super::asker::Question;
use crate::cli::bench::bare;
use crate::cli::bench::deployed::Deployed;
use crate::cli::bench::guests;
use crate::cli::client::Client;
use crate::cli::error::Error;
use crate::cli::serve::Settings;

/// A kind of function. Each gets a fresh instance for each request, but for those that are called otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Case {
    /// A handler without imports, in the fewest instructions
    Handler,
    /// The same as a compiler makes it
    HandlerRust,
    /// A handler that imports WASI and uses it, in the fewest instructions
    HandlerWasi,
    /// A function of a core module
    Raw,
    /// A function of a component, with JSON in and out
    Typed,
    /// `wasi:http` 0.2, under the function's own URL, in the fewest instructions
    Http,
    /// The same as a compiler makes it
    HttpRust,
    /// The same of `wasi:http` 0.3
    #[value(name = "http_0_3")]
    Http03,
    /// The same with an instance for many requests, several of them at once
    #[value(name = "http_0_3_reuse")]
    Http03Reuse,
    /// The same with an instance for many requests, one after the other
    #[value(name = "http_0_3_reuse_one")]
    Http03ReuseOne,
    /// A command
    Command,
}

/// A case that the server has not taken.
#[derive(Clone, Debug)]
pub(super) struct Skipped {
    pub(super) case: Case,
    pub(super) why: String,
}

/// Requests that one instance serves, where it serves more than one, and how many of them at once: as `wasmtime serve` has it
/// for 0.3.
const REUSE: u32 = 128;
const AT_ONCE: u32 = 16;
/// What a typed function is asked, and what it answers.
const TYPED_BODY: &[u8] = br#"{"text":"hello from tidemill"}"#;
const TYPED_ANSWER: &[u8] = br#""hello from tidemill""#;

impl Case {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::HandlerRust => "handler_rust",
            Self::HandlerWasi => "handler_wasi",
            Self::Raw => "raw",
            Self::Typed => "typed",
            Self::Http => "http",
            Self::HttpRust => "http_rust",
            Self::Http03 => "http_0_3",
            Self::Http03Reuse => "http_0_3_reuse",
            Self::Http03ReuseOne => "http_0_3_reuse_one",
            Self::Command => "command",
        }
    }

    /// The function, named as the case is.
    pub(super) const fn deployed(self) -> Deployed {
        let name = self.as_str();
        match self {
            Self::Handler => Deployed::new(name, guests::SMALL_ECHO),
            Self::HandlerRust => Deployed::new(name, guests::ECHO),
            Self::HandlerWasi => Deployed::new(name, guests::HANDLER_WASI),
            Self::Raw => Deployed { entrypoint: Some("echo"), ..Deployed::new(name, guests::RAW) },
            Self::Typed => {
                Deployed { entrypoint: Some("tidemill:bench/text@1.0.0#echo"), ..Deployed::new(name, guests::TYPED) }
            }
            Self::Http => Deployed::new(name, guests::HTTP),
            Self::HttpRust => Deployed::new(name, guests::HELLO_HTTP),
            Self::Http03 => Deployed::new(name, guests::HTTP_0_3),
            Self::Http03Reuse => Deployed {
                reuse: Some(REUSE),
                instance_concurrency: Some(AT_ONCE),
                ..Deployed::new(name, guests::HTTP_0_3)
            },
            Self::Http03ReuseOne => Deployed { reuse: Some(REUSE), ..Deployed::new(name, guests::HTTP_0_3) },
            Self::Command => Deployed::new(name, guests::HELLO_COMMAND),
        }
    }

    /// What `function` of this kind is asked. What is sent and answered is of about the same size for all.
    pub(super) fn question(self, server: SocketAddr, function: &str) -> Question {
        let path = match self {
            Self::Http | Self::HttpRust | Self::Http03 | Self::Http03Reuse | Self::Http03ReuseOne => {
                format!("/fn/{function}/")
            }
            Self::Handler | Self::HandlerRust | Self::HandlerWasi | Self::Raw | Self::Typed | Self::Command => {
                format!("/v1/functions/{function}/invocations")
            }
        };
        let (content_type, body, answer) = match self {
            Self::Typed => ("application/json", TYPED_BODY, TYPED_ANSWER),
            Self::Command => ("text/plain", &b"tidemill"[..], &b"hello, tidemill\n"[..]),
            Self::Handler
            | Self::HandlerRust
            | Self::HandlerWasi
            | Self::Raw
            | Self::Http
            | Self::HttpRust
            | Self::Http03
            | Self::Http03Reuse
            | Self::Http03ReuseOne => ("text/plain", bare::ANSWER, bare::ANSWER),
        };
        Question { server, path, content_type, body: Bytes::from_static(body), answer: Bytes::from_static(answer) }
    }
}

/// What a server is started with so that it takes as many of the cases as it can: 0.3 has to be asked for. A build that
/// cannot be asked refuses what needs it when that is deployed, and that is told then.
pub(super) fn serving() -> Vec<&'static str> {
    const WASI_0_3: &str = "wasi-0.3";
    let settings = Settings::augment_args(clap::Command::new("serve"));
    let can = settings.get_arguments().any(|argument| argument.get_long() == Some(WASI_0_3));
    [&["--log", "error"][..], if can { &["--wasi-0.3"] } else { &[] }].concat()
}

/// Deploys what the server takes of `cases`, and says why it does not take the rest.
pub(super) async fn deploy(client: &Client, cases: &[Case]) -> Result<(Vec<Case>, Vec<Skipped>), Error> {
    let (mut taken, mut skipped) = (Vec::new(), Vec::new());
    for case in cases.iter().copied() {
        match case.deployed().deploy(client).await {
            Ok(()) => taken.push(case),
            Err(Error::Refused(problem)) => skipped.push(Skipped { case, why: problem.message().to_owned() }),
            Err(error) => return Err(error),
        }
    }
    Ok((taken, skipped))
}
