//! `duet`: arguments in, exit code out, and the one place where everything is put together.

mod app_server;
mod args;
mod demo;
mod exec;
mod failure;
mod memory;
mod models;
mod own_voice;
mod processes;
mod realtime_server;
mod screen;
mod services;
mod sessions;
mod signals;
mod talk;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use headless::Exit;

use crate::args::{AppServerArgs, Args, Command, Face, Listen};
use crate::failure::Failure;
use crate::services::Services;

/// What a blocked read of standard input may cost at the end: nothing of ours waits for it.
const LEAVING: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let command = match Args::parse().command {
        // Processes of our own making: they do their one thing before anything is set up.
        Command::Spawner => return processes::spawner(),
        Command::ModelHost { args } => return processes::model_host(args),
        Command::Face(face) => face,
    };
    memory::give_back();
    match run(command) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            eprintln!("duet: {failure}");
            ExitCode::from(failure.exit().code())
        }
    }
}

fn run(face: Face) -> Result<Exit, Failure> {
    match face {
        Face::Exec(args) => {
            let services = Services::new(args.config.overrides.clone());
            let services = services.and_then(|it| it.for_thread(&args.thread));
            let services = exec::or_say_why(args.format(), services)?;
            on_runtime(exec::run(args, services))
        }
        Face::Models(args) => on_runtime(models::run(args)),
        Face::Sessions(args) => sessions::run(args),
        Face::Talk(args) => {
            if args.list_devices {
                return talk::list_devices();
            }
            talk::check(&args)?;
            let services = Services::new(args.config.overrides.clone());
            let services = services.and_then(|it| it.for_thread(&args.thread));
            let services = talk::or_say_why(args.format(), services)?;
            on_runtime(talk::run(args, services))
        }
        Face::Demo(args) => {
            // Nobody goes on with it: what it leaves is gone with it.
            let home = demo::temporary()?;
            let services = Services::undocumented(home.path(), demo::overrides()?)?;
            on_runtime(demo::run(args, services))
        }
        Face::RealtimeServer(args) => {
            let services = Services::new(args.config.overrides.clone())?;
            on_runtime(realtime_server::run(args, services))
        }
        Face::AppServer(AppServerArgs { config, listen: Listen::Stdio }) => {
            let services = Services::new(config.overrides)?;
            on_runtime(app_server::run(services))
        }
    }
}

fn on_runtime(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("cannot start the async runtime: {error}")))?;
    let result = runtime.block_on(work);
    runtime.shutdown_timeout(LEAVING);
    result
}
