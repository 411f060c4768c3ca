//! Serves the app-server protocol: JSON-RPC on one side, the engine on the other.
//!
//! A connection is any pair of byte streams, one JSON message a line ([`AppServer::serve`]).
//! It has one task, which is the one who writes: requests are carried out in order, each has
//! exactly one answer, and an answer comes before the news of what it answers.
//!
//! | what waits | bound | when full |
//! |---|---|---|
//! | answers that a client does not read | 64 | its requests are not read |
//! | news that a client does not read | 4 MiB | deltas are merged, then it is disconnected |
//! | sound that a conversation does not take | 2 s | the frame is refused (-32001) |

mod connection;
mod microphone;
mod outbox;
mod session;
mod voices;

use std::path::PathBuf;
use std::sync::Arc;

use app_server_protocol::{ErrorObject, Origin};
use config::{Config, Environment, Home, Override};
use engine::Engine;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

pub use crate::connection::ServeError;

use crate::session::{Session, misconfigured};

/// Serves one engine to any number of clients.
#[derive(Debug)]
pub struct AppServer {
    pub engine: Arc<Engine>,
    /// Our version, as clients are told it.
    pub version: String,
    pub home: Home,
    /// What was said on the command line; a client's own wishes are stronger.
    pub overrides: Vec<Override>,
    pub environment: Environment,
    /// Where threads work whose client names no directory.
    pub cwd: PathBuf,
}

impl AppServer {
    /// Serves one client until it ends its input, or `stop`. Its threads go on.
    ///
    /// `source` is the kind of client, for the logs of the threads it starts: `exec`, `talk`,
    /// `appServer`.
    pub async fn serve<R, W>(
        &self,
        read: R,
        write: W,
        source: &str,
        stop: &CancellationToken,
    ) -> Result<(), ServeError>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send,
    {
        let about = connection::About { version: &self.version, home: self.home.path() };
        connection::run(read, write, Session::new(self, source), about, stop).await
    }

    /// What is configured now: the file is read again, so that an edit needs no restart.
    fn config(&self, overrides: Vec<Override>) -> Result<Config, ErrorObject> {
        self.config_over(Vec::new(), overrides)
    }

    /// As [`Self::config`], where what is not said now is as it was `before`.
    fn config_over(
        &self,
        before: Vec<Override>,
        overrides: Vec<Override>,
    ) -> Result<Config, ErrorObject> {
        let own = self.overrides.iter().cloned();
        let all: Vec<Override> = before.into_iter().chain(own).chain(overrides).collect();
        Config::load(&self.home, &all, &self.environment).map_err(misconfigured)
    }

    fn origin(&self) -> Origin<'_> {
        Origin { version: &self.version, path: None }
    }
}
