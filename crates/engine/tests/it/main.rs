//! The engine on real ground: a model over HTTP, a realtime service over a WebSocket, git
//! repositories, the sandbox and files.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod bench;
mod conversations;
mod logs;
mod turns;

/// In the environment of the processes that are to start commands for us.
const AS_SPAWNER: &str = "acts-as-the-spawner";

/// Not a test: what the spawner's processes run when this binary is started for them.
#[test]
fn spawner_process() {
    if std::env::args().any(|arg| arg == AS_SPAWNER) {
        sandboxing::spawner_main();
        std::process::exit(0);
    }
}
