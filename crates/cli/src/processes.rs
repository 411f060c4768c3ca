//! The processes that this binary starts of itself, by hidden subcommands.

use std::ffi::OsString;
use std::process::ExitCode;

use inference::HostCommand;
use sandboxing::SpawnerProgram;

const SPAWNER: &str = "spawner";
const MODEL_HOST: &str = "model-host";

pub(crate) fn spawner_program() -> SpawnerProgram {
    SpawnerProgram { exe: SpawnerProgram::THIS.into(), args: vec![SPAWNER.into()] }
}

/// Not by its path either: it may be started hours later, and it is not confined.
pub(crate) fn host_command() -> HostCommand {
    HostCommand { program: SpawnerProgram::THIS.into(), args: vec![MODEL_HOST.into()] }
}

pub(crate) fn spawner() -> ExitCode {
    sandboxing::spawner_main()
}

pub(crate) fn model_host(args: Vec<OsString>) -> ExitCode {
    inference::host_main(args)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever is at its path by now: `/proc/self/exe` is the file that runs.
    #[test]
    fn what_is_started_is_the_executable_that_runs() {
        let running = std::env::current_exe().unwrap();
        for program in [spawner_program().exe, host_command().program] {
            assert_eq!(program.to_str(), Some("/proc/self/exe"));
            assert_eq!(std::fs::read_link(&program).unwrap(), running);
        }
    }
}
