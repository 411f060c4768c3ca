//! `duet exec`.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};

use app_server_protocol::Capabilities;
use headless::{Console, Exit, Format, Server, ThreadArgs};
use protocol::ThreadId;
use rollout::Store;
use serde_json::{Map, Value};

use crate::args::{ExecArgs, ExecCommand, ResumeArgs, ThreadFlags};
use crate::failure::Failure;
use crate::services::{Services, VERSION};
use crate::sessions;
use crate::signals::Signals;

pub(crate) async fn run(args: ExecArgs, services: Services) -> Result<Exit, Failure> {
    let ExecArgs { command, prompt, thread, config: _, json, answer_file, skip_git_repo_check: _ } =
        args;
    let (thread, prompt) = match command {
        None => (thread_args(thread, &services)?, prompt),
        Some(ExecCommand::Resume(resume)) => resumed(resume, thread, &services)?,
    };
    let prompt = read_prompt(prompt)?;
    services.require_agent()?;
    let mut signals = Signals::listen()?;
    let mut served = services.serve();
    let connection = served.connect("exec");
    let exec = async {
        let capabilities = Capabilities::default();
        let server = Server::greet(connection, "duet-exec", VERSION, capabilities).await?;
        let args = headless::ExecArgs {
            thread,
            prompt,
            format: if json { Format::Json } else { Format::People },
            answer_file,
            version: VERSION.to_owned(),
        };
        headless::exec(server, args, console(), &mut signals.received).await
    };
    let exit = exec.await;
    signals.or_leave(served.shutdown()).await;
    Ok(exit?)
}

/// The thread that goes on, and what it is to do.
fn resumed(
    args: ResumeArgs,
    flags: ThreadFlags,
    services: &Services,
) -> Result<(ThreadArgs, Option<String>), Failure> {
    let elsewhere = flags.dir.is_some();
    let mut thread = thread_args(flags, services)?;
    let (session, prompt) = match args {
        // The first word is no id then.
        ResumeArgs { session, prompt: None, last: true, .. } => (None, session),
        ResumeArgs { last: true, .. } => {
            return Err(Failure::usage("give the id of a session or --last, not both"));
        }
        ResumeArgs { session, prompt, .. } => (session, prompt),
    };
    let id = match session {
        Some(id) => id,
        None => {
            let dir = thread.cwd.as_deref().map(Path::new).filter(|_| !args.all);
            let newest = sessions::newest(&services.home, dir, 1).into_iter().next();
            let newest = newest.ok_or_else(|| {
                Failure::other("there is no session of this directory to go on with: see `duet sessions`, or give --all")
            })?;
            newest.meta.thread.to_string()
        }
    };
    Store::new(services.home.path())
        .find(&ThreadId::from(id.as_str()))
        .map_err(|_| Failure::other(format!("no session is called `{id}`: see `duet sessions`")))?;
    thread.resume = Some(id);
    if !elsewhere {
        thread.cwd = None;
    }
    Ok((thread, prompt))
}

/// A line for standard output. Whoever reads it may have gone, or its disk be full: that is no
/// panic.
pub(crate) fn print_line(line: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format!("cannot write the output: {error}")))
}

/// Standard output and error. `NO_COLOR` set to anything turns colours off.
pub(crate) fn console() -> Console {
    Console::new(std::io::stdout(), std::io::stderr(), colors())
}

/// Everything on standard error: standard output is for sound.
pub(crate) fn console_beside_sound() -> Console {
    Console::new(std::io::stderr(), std::io::stderr(), colors())
}

fn colors() -> bool {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    std::io::stderr().is_terminal() && !plain
}

/// The flags as a thread wants them: directories that exist, named in full.
pub(crate) fn thread_args(flags: ThreadFlags, services: &Services) -> Result<ThreadArgs, Failure> {
    let ThreadFlags { dir, model, sandbox, add_dir, ephemeral } = flags;
    let cwd = &services.cwd;
    let dir = match dir {
        Some(dir) => directory(&cwd.join(dir), "--cd")?,
        None => cwd.to_owned(),
    };
    let mut config = Map::new();
    if !add_dir.is_empty() {
        // The list of a request replaces the configured one.
        let configured = services.config.writable_roots.iter().cloned().map(Ok);
        let added = add_dir.iter().map(|dir| directory(&cwd.join(dir), "--add-dir"));
        let roots = configured.chain(added).map(|dir| Ok(Value::from(utf8(&dir?)?)));
        let roots: Vec<Value> = roots.collect::<Result<_, Failure>>()?;
        config.insert("sandbox_workspace_write.writable_roots".to_owned(), Value::Array(roots));
    }
    Ok(ThreadArgs {
        cwd: Some(utf8(&dir)?),
        model,
        sandbox: sandbox.map(Into::into),
        config,
        ephemeral,
        resume: None,
    })
}

pub(crate) fn directory(path: &Path, flag: &str) -> Result<PathBuf, Failure> {
    let resolved = path.canonicalize().map_err(|error| {
        Failure::usage(format!(
            "{flag}: the directory {} cannot be entered: {error}; name one that exists",
            path.display()
        ))
    })?;
    if resolved.is_dir() {
        return Ok(resolved);
    }
    Err(Failure::usage(format!("{flag}: {} is a file; name a directory", path.display())))
}

/// The protocol's paths are text.
pub(crate) fn utf8(path: &Path) -> Result<String, Failure> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::usage(format!("{} is not UTF-8: rename it", path.display())))
}

fn read_prompt(prompt: Option<String>) -> Result<String, Failure> {
    let prompt = match prompt.as_deref() {
        Some("-") => None,
        Some(text) => Some(text.to_owned()),
        None if std::io::stdin().is_terminal() => {
            return Err(Failure::usage(
                "there is no prompt: give it as an argument, or `-` to read standard input",
            ));
        }
        None => None,
    };
    let prompt = match prompt {
        Some(prompt) => prompt,
        None => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|error| {
                Failure::usage(format!("cannot read the prompt from standard input: {error}"))
            })?;
            text
        }
    };
    if prompt.trim().is_empty() {
        return Err(Failure::usage("the prompt is empty: say what to do"));
    }
    Ok(prompt)
}
