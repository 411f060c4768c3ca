//! What runs in the spawner and in the watchers: small, blocking, one thread.

mod descendants;
mod serve;
mod watch;

use std::os::fd::AsFd as _;
use std::process::ExitCode;
use std::time::Duration;

use rustix::net::SocketType;

/// Time between asking a command's processes to end and killing them.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// The whole life of a spawner or watcher process: the hidden subcommand calls this and nothing
/// else, first thing.
pub fn spawner_main() -> ExitCode {
    let stdin = std::io::stdin();
    match rustix::net::sockopt::socket_type(stdin.as_fd()) {
        Ok(SocketType::SEQPACKET) => serve::serve(stdin.as_fd()),
        Ok(SocketType::STREAM) => watch::watch(stdin.as_fd()),
        Ok(_) | Err(_) => {
            eprintln!("this subcommand is started by duet itself; it does nothing by hand");
            ExitCode::from(2)
        }
    }
}

/// For a step whose failure is known and harmless: the comment at the call says why.
pub(crate) fn best_effort<T, E>(result: Result<T, E>) {
    drop(result.ok());
}
