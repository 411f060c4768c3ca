//! One job on its own connection.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::UnixStream;
use tokio_util::codec::Framed;

use super::connector::Connector;
use crate::Error;
use crate::wire::{Frame, FrameCodec, FrameError, Job, Reply};

type Connection = Framed<UnixStream, FrameCodec>;
type Opening = Pin<Box<dyn Future<Output = Result<Connection, Error>> + Send + Sync>>;

pub(super) struct Call {
    connector: Arc<Connector>,
    state: State,
}

enum State {
    /// Kept here between polls, so that a dropped `next` loses nothing of the way to the host.
    Opening(Opening),
    Open(Connection),
    Ended,
}

impl Call {
    pub(super) fn new(connector: Arc<Connector>, job: Job, payload: Bytes) -> Self {
        let opening = Box::pin(open(Arc::clone(&connector), job, payload));
        Self { connector, state: State::Opening(opening) }
    }

    /// Connects and hands the job over.
    pub(super) async fn open(&mut self) -> Result<(), Error> {
        if let State::Opening(opening) = &mut self.state {
            let opened = opening.await;
            self.state = State::Ended;
            self.state = State::Open(opened?);
        }
        Ok(())
    }

    /// The next reply with its payload. `None` after the last one, or after an error.
    pub(super) async fn next(&mut self) -> Option<Result<(Reply, Bytes), Error>> {
        if let Err(error) = self.open().await {
            return Some(Err(error));
        }
        let State::Open(connection) = &mut self.state else { return None };
        let read = match connection.next().await {
            Some(Ok(frame)) => frame.parse::<Reply>().map(|reply| (reply, frame.payload)),
            Some(Err(error)) => Err(error),
            None => Err(FrameError::Io(std::io::ErrorKind::UnexpectedEof.into())),
        };
        let reply = match read {
            Ok((Reply::Failed { failure }, _)) => Some(Err(failure.into())),
            Ok((Reply::Done, _)) => None,
            Ok(reply) => return Some(Ok(reply)),
            Err(error) => Some(Err(self.connector.broken(error))),
        };
        self.state = State::Ended;
        reply
    }

    pub(super) async fn send(&mut self, frame: Result<Frame, FrameError>) -> Result<(), Error> {
        self.open().await?;
        let frame = frame.map_err(too_large)?;
        let State::Open(connection) = &mut self.state else { return Err(self.stopped()) };
        connection.send(frame).await.map_err(|error| self.connector.broken(error))
    }

    pub(super) fn stopped(&self) -> Error {
        self.connector.stopped()
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            State::Opening(_) => "Call(opening)",
            State::Open(_) => "Call(open)",
            State::Ended => "Call(ended)",
        })
    }
}

async fn open(connector: Arc<Connector>, job: Job, payload: Bytes) -> Result<Connection, Error> {
    let frame = Frame::new(&job, payload).map_err(too_large)?;
    match hand_over(&connector, frame.clone()).await {
        Ok(connection) => Ok(connection),
        // The host may have been leaving as we came: an idle host closes its door and goes.
        Err(Error::HostStopped { .. }) => hand_over(&connector, frame).await,
        Err(error) => Err(error),
    }
}

/// Returns when the host has accepted the job.
async fn hand_over(connector: &Connector, job: Frame) -> Result<Connection, Error> {
    let mut connection = Framed::new(connector.connect().await?, FrameCodec);
    connection.send(job).await.map_err(|error| connector.broken(error))?;
    match connection.next().await {
        Some(Ok(frame)) => match frame.parse() {
            Ok(Reply::Accepted) => Ok(connection),
            Ok(Reply::Failed { failure }) => Err(failure.into()),
            Ok(reply) => Err(super::unexpected(&reply)),
            Err(error) => Err(connector.broken(error)),
        },
        Some(Err(error)) => Err(connector.broken(error)),
        None => Err(connector.stopped()),
    }
}

fn too_large(error: FrameError) -> Error {
    Error::Rejected { message: format!("the request is too large for the model host: {error}") }
}
