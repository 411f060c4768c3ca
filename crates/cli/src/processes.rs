//! The processes that this binary starts of itself, by hidden subcommands.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use inference::HostCommand;
use sandboxing::SpawnerProgram;

use crate::failure::Failure;

const SPAWNER: &str = "spawner";
const MODEL_HOST: &str = "model-host";

pub(crate) fn spawner_program() -> Result<SpawnerProgram, Failure> {
    Ok(SpawnerProgram { exe: this_program()?, args: vec![SPAWNER.into()] })
}

pub(crate) fn host_command() -> Result<HostCommand, Failure> {
    Ok(HostCommand { program: this_program()?, args: vec![MODEL_HOST.into()] })
}

pub(crate) fn spawner() -> ExitCode {
    sandboxing::spawner_main()
}

pub(crate) fn model_host(args: Vec<OsString>) -> ExitCode {
    inference::host_main(args)
}

fn this_program() -> Result<PathBuf, Failure> {
    std::env::current_exe()
        .map_err(|error| Failure::other(format!("cannot find this program's own file: {error}")))
}
