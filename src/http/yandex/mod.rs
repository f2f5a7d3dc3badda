//! The Yandex dialect: Cloud Functions, Serverless Containers and what their clients ask besides, over gRPC on a port of its
//! own (`grpc`) and over REST on that of HTTP (`rest`); and the functions' own URLs. A folder is a namespace, a tag an alias,
//! a function's id its id, a version's id that and its number.
//!
//! There is one implementation of each service (`services`): a REST request is made into the gRPC one that it stands for, by
//! the descriptors of `proto/`, which also say what holds of each field (`rules`). Only form stands here.

mod asked;
mod fields;
mod pages;
mod proto;
mod rules;
mod status;

mod endpoints;
mod event;
mod grpc;
mod invoke;
mod operations;
mod rest;
mod routes;
mod services;
mod tokens;
mod urls;

mod containers;
mod functions;

pub use endpoints::Places;
pub use grpc::Grpc;
pub(super) use rest::{answer, is_meant, refusal};
pub(super) use services::Services;
pub(super) use urls::{is_for_everyone, is_url};
