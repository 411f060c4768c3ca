//! `duet exec`.

use std::fs::File;
use std::io::{IsTerminal as _, Read as _, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use headless::{Console, Exit, Format, Server, ThreadArgs, exec_cannot_begin, exec_capabilities};
use protocol::ThreadId;
use rollout::Store;
use serde_json::{Map, Value};

use crate::args::{ExecArgs, ExecCommand, ResumeArgs, ThreadFlags};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::services::{Services, VERSION};
use crate::sessions;
use crate::signals::Signals;

/// What is piped in besides a prompt, at most. A megabyte is more than any model reads at once.
const MOST_PIPED: u64 = 1 << 20;

pub(crate) async fn run(args: ExecArgs, services: Services) -> Result<Exit, Failure> {
    let format = args.format();
    let (args, mut signals) = or_say_why(format, prepare(args, &services))?;
    let mut served = services.serve();
    let connection = served.connect("exec");
    let exec = async {
        let server = Server::greet(connection, "duet-exec", VERSION, exec_capabilities()).await;
        let server = or_say_why(format, server.map_err(Failure::from))?;
        Ok(headless::exec(server, args, console(), &mut signals.received).await?)
    };
    let exit = exec.await;
    signals.or_leave(served.shutdown()).await;
    exit
}

/// Everything that can be wrong before anybody is called.
fn prepare(args: ExecArgs, services: &Services) -> Result<(headless::ExecArgs, Signals), Failure> {
    let format = args.format();
    let ExecArgs { command, prompt, thread, config: _, answer_file, .. } = args;
    let (thread, prompt) = match command {
        None => (thread_args(thread, services)?, prompt),
        Some(ExecCommand::Resume(resume)) => resumed(resume, thread, services)?,
    };
    let is_given = prompt.as_deref().is_some_and(|it| it != "-");
    let prompt = read_prompt(prompt)?;
    let piped = if is_given { piped()? } else { None };
    services.require_agent()?;
    let signals = Signals::listen()?;
    let version = VERSION.to_owned();
    Ok((headless::ExecArgs { thread, prompt, piped, format, answer_file, version }, signals))
}

/// What keeps a task from its beginning is told to programs too.
pub(crate) fn or_say_why<T>(format: Format, result: Result<T, Failure>) -> Result<T, Failure> {
    if let Err(failure) = &result {
        exec_cannot_begin(format, &failure.to_string(), &mut console())?;
    }
    result
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
        ResumeArgs { session: None, .. } => {
            return Err(Failure::usage(
                "which session? give its id (`duet sessions` lists them), or --last for the newest \
                 of this directory",
            ));
        }
        ResumeArgs { session, prompt, .. } => (session, prompt),
    };
    let id = match session {
        Some(id) => named(&id, services)?,
        None if args.all => newest_of_any(services, elsewhere)?,
        None => {
            let dir = thread.cwd.as_deref().map(Path::new);
            let newest = sessions::newest(&services.home, dir, 1).into_iter().next();
            let newest = newest.ok_or_else(|| {
                Failure::other("there is no session of this directory to go on with: see `duet sessions`, or give --all")
            })?;
            newest.meta.thread.to_string()
        }
    };
    thread.resume = Some(id);
    if !elsewhere {
        thread.cwd = None;
    }
    Ok((thread, prompt))
}

/// The newest session whose directory is still there, unless it is to go on `elsewhere`.
fn newest_of_any(services: &Services, elsewhere: bool) -> Result<String, Failure> {
    let sessions = sessions::newest(&services.home, None, sessions::READ);
    let is_gone = |cwd: &Path| !elsewhere && !cwd.is_dir();
    let newest = sessions.iter().position(|it| !is_gone(&it.meta.cwd));
    let gone = &sessions[..newest.unwrap_or(sessions.len())];
    if let Some(first) = gone.first() {
        let more = match gone.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        eprintln!("left out, since its directory is gone: {}{more}", first.meta.cwd.display());
    }
    let newest = newest.and_then(|it| sessions.get(it));
    let newest = newest
        .ok_or_else(|| Failure::other("there is no session to go on with: see `duet sessions`"))?;
    Ok(newest.meta.thread.to_string())
}

/// The session of this id, or the only one whose id begins so.
fn named(id: &str, services: &Services) -> Result<String, Failure> {
    let store = Store::new(services.home.path());
    if store.find(&ThreadId::from(id)).is_ok() {
        return Ok(id.to_owned());
    }
    match store.beginning_with(id).as_slice() {
        [only] => Ok(only.to_string()),
        [] => Err(Failure::other(format!("no session is called `{id}`: see `duet sessions`"))),
        [first, second, ..] => Err(Failure::usage(format!(
            "several sessions begin with `{id}` ({first}, {second}): give more of it"
        ))),
    }
}

/// A line for standard output. Whoever reads it may have gone, or its disk be full: that is no
/// panic.
pub(crate) fn print_line(line: impl std::fmt::Display) -> Result<(), Failure> {
    let mut out = std::io::stdout();
    writeln!(out, "{line}")
        .and_then(|()| out.flush())
        .map_err(|error| Failure::other(format!("cannot write the output: {error}")))
}

/// Standard output and error.
pub(crate) fn console() -> Console {
    console_with(std::io::stdout())
}

/// Everything on standard error: standard output is for sound.
pub(crate) fn console_beside_sound() -> Console {
    console_with(std::io::stderr())
}

fn console_with(out: impl Write + Send + 'static) -> Console {
    let screen = Screen::of_process();
    let console = Console::new(out, std::io::stderr(), screen.colors);
    match screen.columns() {
        Some(columns) => console.on_screen(columns),
        None => console,
    }
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

/// What somebody pipes in, if anybody does: not a terminal, and not /dev/null.
fn piped() -> Result<Option<String>, Failure> {
    let stdin = std::io::stdin();
    let failed = |error| Failure::other(format!("cannot read standard input: {error}"));
    let Ok(file) = stdin.as_fd().try_clone_to_owned() else { return Ok(None) };
    let kind = File::from(file).metadata().map_err(failed)?.file_type();
    if !(kind.is_file() || kind.is_fifo() || kind.is_socket()) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    stdin.lock().take(MOST_PIPED + 1).read_to_end(&mut bytes).map_err(failed)?;
    if MOST_PIPED < bytes.len() as u64 {
        return Err(Failure::usage(
            "more than 1 MB is piped in with the prompt: pipe in a part of it, or name a file in \
             the prompt; `< /dev/null` pipes in nothing",
        ));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok((!text.trim().is_empty()).then(|| text.trim_end().to_owned()))
}
