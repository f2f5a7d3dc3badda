//! The composition root: opens, starts, listens, and stops in order. It alone names everything: `ground` is what all the rest
//! stands on, `outward` brings messages and outcomes to others, `inside` joins them to a runtime, and `doors` are where
//! that is reached.

mod doors;
mod error;
mod ground;
mod inside;
mod outward;
#[cfg(test)]
mod timers_tests;

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

pub use error::ServeError;

use crate::config::Config;
use crate::runtime::Runtime;

use doors::Doors;
use ground::Ground;
use inside::Inside;

/// How long the last writes and connections may take once attempts have ended.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// A server that runs.
pub struct Server {
    /// What answers.
    pub runtime: Runtime,
    /// Where it listens.
    pub address: std::net::SocketAddr,
    /// Where it listens for gRPC; `None` for nowhere.
    pub grpc_address: Option<std::net::SocketAddr>,
    /// What others reach it under.
    pub url: String,
    /// The file in which the token of the first account was left; `None` where nobody has to show one.
    pub admin_token: Option<PathBuf>,
    inside: Inside,
    closing: CancellationToken,
    drain: Duration,
}

impl Server {
    /// Opens the store, takes up what is live in it, and listens.
    pub async fn start(config: &Config) -> Result<Self, ServeError> {
        // Before the store is touched.
        let doors = Doors::bind(config).await?;
        let ground = Ground::open(config).await?;
        let functions = ground.live.functions.len();
        let url = doors.url(config);
        let inside = Inside::open(ground, config, url.clone()).await?;
        let runtime = inside.runtime.clone();
        let (closing, address, grpc_address) = (CancellationToken::new(), doors.address(), doors.grpc_address());
        let admin_token = doors.open(config, &runtime, &inside.tasks, &closing).await?;
        tracing::info!(%address, functions, "serving");
        Ok(Self { runtime, address, grpc_address, url, admin_token, inside, closing, drain: config.drain })
    }

    /// Waits until the process is asked to stop, by a signal or by a part of it that failed; then stops.
    pub async fn run(self, mut signals: Signals) -> Result<(), ServeError> {
        let ended = tokio::select! {
            () = signals.received() => Ok(()),
            () = self.inside.tasks.stopping().cancelled() => Err(ServeError::Failed),
        };
        self.stop(signals).await;
        ended
    }

    /// Stops: no new connections, no new attempts; what runs may end until the drain time is over, or until a
    /// second signal, and is then given back to the queue; the last writes; the engine.
    async fn stop(self, mut signals: Signals) {
        tracing::info!(seconds = self.drain.as_secs(), "shutting down: letting running attempts end");
        let Inside { dispatch, tasks, engine, .. } = &self.inside;
        self.runtime.retire();
        self.closing.cancel();
        tokio::select! {
            () = dispatch.drain(self.drain) => (),
            () = signals.received() => dispatch.drain(Duration::ZERO).await,
        }
        tasks.stop();
        if !tasks.ended(LAST_WRITES).await {
            tracing::warn!("some tasks did not end in time; what they held is taken up at the next start");
        }
        engine.stop().await;
        tracing::info!("stopped");
    }
}

/// The signals that ask the process to stop. Made before anything else is started, so that none is missed.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts listening for them.
    pub fn listen() -> Result<Self, ServeError> {
        let terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
        let interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
        Ok(Self { terminate, interrupt })
    }

    async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}
