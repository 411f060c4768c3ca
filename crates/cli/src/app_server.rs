//! `duet app-server`.

use headless::Exit;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;
use crate::services::Services;
use crate::signals::Signals;

/// Serves standard input and output until the client ends, or a signal comes.
pub(crate) async fn run(services: Services) -> Result<Exit, Failure> {
    let mut signals = Signals::listen()?;
    let served = services.serve();
    let stop = CancellationToken::new();
    let server = served.server.clone();
    let serve = server.serve(tokio::io::stdin(), tokio::io::stdout(), "appServer", &stop);
    let exit = tokio::select! {
        biased;
        Some(signal) = signals.received.recv() => Ok(signal.into()),
        ended = serve => ended.map(|()| Exit::Done).map_err(Failure::other),
    };
    signals.or_leave(served.shutdown()).await;
    exit
}
