//! A model host and nothing else. `duet` has the same as a hidden subcommand.

use std::process::ExitCode;

fn main() -> ExitCode {
    inference::host_main(std::env::args_os().skip(1))
}
