//! Runs one confined command to its end, for whichever tool asked.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use sandboxing::{
    Command, Confinement, Ending, Errors, Exit, Network, RunEvent, SpawnError, Writes,
    denied_by_sandbox,
};

use crate::policy::{Cell, writable_roots};
use crate::running::Ports;
use crate::text::{Decoder, plain};
use crate::toolbox::Job;

/// What is kept of a command's output. The log and the clients get this; models get less.
const OUTPUT_LIMIT: usize = 128 * 1024;

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finished {
    /// Both streams as they came, decoded; the middle may be named as left out.
    pub(crate) output: String,
    pub(crate) exit: Exit,
    pub(crate) duration: Duration,
}

/// How long a tool's command may take, and what helps where that is too short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeLimit {
    /// Whose limit it is, as the model and people know it.
    pub(crate) tool: &'static str,
    pub(crate) time: Duration,
    /// The end of a sentence: what to do.
    pub(crate) remedy: &'static str,
}

/// Whether the output is for people, and told to them while it comes, or for us to parse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Telling {
    Live,
    Silent,
}

/// What to run, in the root of the workspace.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) argv: Vec<OsString>,
    /// Its whole environment.
    pub(crate) env: Vec<(OsString, OsString)>,
    pub(crate) confinement: Confinement,
    pub(crate) time_limit: Duration,
}

/// Runs a command of the user's project in the thread's sandbox.
pub(crate) async fn run(
    job: &Job,
    ports: &mut Ports,
    argv: Vec<OsString>,
    cell: &Cell,
    time_limit: Duration,
) -> Result<Finished, SpawnError> {
    let confinement = cell.confinement.clone();
    let temporary = cell.temporary.as_ref().map(|it| it.path());
    let env = job.environment.for_command(&confinement, temporary, job.scratch.path());
    let program = Program { argv, env, confinement, time_limit };
    run_program(job, ports, program, Telling::Live).await
}

/// Runs until its end, its time limit, or the stop of the tool.
pub(crate) async fn run_program(
    job: &Job,
    ports: &mut Ports,
    program: Program,
    telling: Telling,
) -> Result<Finished, SpawnError> {
    let Program { argv, env, confinement, time_limit } = program;
    let errors = match telling {
        Telling::Live => Errors::WithOutput,
        Telling::Silent => Errors::Discarded,
    };
    let command = Command {
        argv,
        cwd: job.context.facts.root.clone(),
        env,
        confinement,
        errors,
        time_limit,
        output_limit: OUTPUT_LIMIT,
    };
    let begun = Instant::now();
    let mut running = job.spawner.run(command).await?;
    let mut decoder = Decoder::default();
    let mut output = String::new();
    let mut stopping = false;
    loop {
        let event = tokio::select! {
            biased;
            () = ports.stopped(), if !stopping => {
                running.kill();
                stopping = true;
                continue;
            }
            event = running.next() => event,
        };
        let text = match event {
            Some(RunEvent::Output(bytes)) => decoder.push(&bytes),
            Some(RunEvent::Elided { bytes }) => {
                format!("{}\n[... {bytes} bytes left out ...]\n", decoder.finish())
            }
            Some(RunEvent::Exited(exit)) => {
                output.push_str(decoder.finish());
                return Ok(Finished { output, exit, duration: begun.elapsed() });
            }
            // The exit is always said.
            None => return Err(SpawnError::Lost),
        };
        output.push_str(&text);
        if telling == Telling::Live && !text.is_empty() {
            ports.delta(text).await;
        }
    }
}

impl Finished {
    pub(crate) fn succeeded(&self) -> bool {
        self.exit.ending == Ending::Exited && self.exit.code == Some(0)
    }

    /// The output for a model: no control sequences, no spaces around.
    pub(crate) fn plain_output(&self) -> String {
        plain(&self.output).trim_matches('\n').trim_end().to_owned()
    }

    /// As shells tell it: 128 and its number for a signal. `None` for a command that was cut
    /// short, whatever it said when it was told to go.
    pub(crate) fn exit_code(&self) -> Option<i32> {
        match self.exit.ending {
            Ending::Exited => self.exit.code.or(self.exit.signal.map(|signal| 128 + signal)),
            Ending::TimedOut | Ending::Killed | Ending::Lost => None,
        }
    }

    /// Why it did not come to an end of its own, as a sentence.
    pub(crate) fn cut_short(&self, limit: TimeLimit) -> Option<String> {
        let TimeLimit { tool, time, remedy } = limit;
        match self.exit.ending {
            Ending::Exited => None,
            Ending::TimedOut => Some(format!(
                "`{tool}` was stopped after its time limit of {} s: {remedy}.",
                time.as_secs()
            )),
            Ending::Killed => Some("It was stopped by the user.".to_owned()),
            Ending::Lost => Some("It was killed together with its watcher.".to_owned()),
        }
    }

    /// How it ended, as a sentence.
    pub(crate) fn ending(&self, limit: TimeLimit) -> String {
        if let Some(why) = self.cut_short(limit) {
            return why;
        }
        match (self.exit.code, self.exit.signal) {
            (Some(code), _) => format!("Exit code {code}."),
            (None, Some(signal)) => format!("It was ended by signal {signal}."),
            (None, None) => "It ended.".to_owned(),
        }
    }

    /// The sentence about the sandbox, where the output looks as if it was the reason.
    pub(crate) fn sandbox_hint(&self, confinement: &Confinement) -> Option<String> {
        if self.succeeded() || !denied_by_sandbox(&self.output) {
            return None;
        }
        hint(confinement)
    }
}

fn hint(confinement: &Confinement) -> Option<String> {
    let writes = match &confinement.writes {
        Writes::Anywhere => None,
        Writes::Only(_) => writable_roots(confinement),
    };
    let network = match confinement.network {
        Network::Open => None,
        Network::Closed => Some("there is no network".to_owned()),
    };
    let limits = match (writes, network) {
        (None, None) => return None,
        (Some(roots), None) => format!("files can be changed only below {roots}"),
        (None, Some(network)) => network,
        (Some(roots), Some(network)) => {
            format!("files can be changed only below {roots}, and {network}")
        }
    };
    Some(format!("Commands run in a sandbox: {limits}. That may be why it failed."))
}
