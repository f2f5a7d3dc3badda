//! Why a server does not start, or does not end well; each names what is to be done.

use crate::access::AccessError;
use crate::engine::EngineError;
use crate::http::NotBound;
use crate::oci::UnusableImages;
use crate::outbound::InvalidAllowed;
use crate::store::StoreError;
use crate::tls::{UnusableAuthority, UnusableCertificate};
use crate::vault::InvalidKey;

/// Why a server did not start, or not end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What may be reached that is private is no address.
    #[error(transparent)]
    Allowed(#[from] InvalidAllowed),
    /// The authorities that are to be trusted cannot be.
    #[error(transparent)]
    Authority(#[from] UnusableAuthority),
    /// A function or a version cannot be read. Without it what waits for it would be taken for what waits for one that
    /// was deleted, and settled.
    #[error("{0}. `tidemill store check` tells all that is wrong, and `tidemill store repair` saves what is left")]
    Damaged(StoreError),
    /// The first account could not be made.
    #[error("the first account could not be made: {0}")]
    Access(#[from] AccessError),
    /// Its token could not be left for the operator.
    #[error("the token of the first account cannot be written to {}: {cause}", path.display())]
    AdminToken {
        /// Where.
        path: std::path::PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// There is no certificate to show.
    #[error(transparent)]
    Certificate(#[from] UnusableCertificate),
    /// Images cannot be pulled.
    #[error(transparent)]
    Images(#[from] UnusableImages),
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A part of the server failed while it ran.
    #[error("a part of the runtime failed; the log says which")]
    Failed,
    /// The key for secrets was given and is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The address for gRPC could not be bound.
    #[error("{0}, which is where gRPC is: choose another with --grpc-listen, or `none`")]
    GrpcNotBound(NotBound),
    /// The address could not be bound.
    #[error(transparent)]
    NotBound(#[from] NotBound),
    /// The system did not let it listen for signals.
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    /// The store could not be opened or read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ServeError {
    /// What a start that could not read the store says of it.
    pub(super) fn unread(error: StoreError) -> Self {
        match error {
            damaged @ StoreError::Damaged { .. } => Self::Damaged(damaged),
            StoreError::Full(_)
            | StoreError::Open { .. }
            | StoreError::Refused(_)
            | StoreError::Stopped(_)
            | StoreError::Unknown(_)
            | StoreError::Unreadable(_) => Self::Store(error),
        }
    }
}
