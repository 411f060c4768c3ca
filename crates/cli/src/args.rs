//! The command line.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use app_server_protocol::SandboxModeName;
use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use config::Override;
use headless::{Format, Input, Output, TalkFormat};

use crate::models::ModelsArgs;

#[derive(Debug, Parser)]
#[command(
    name = "duet",
    version,
    about = "A voice-first coding agent: you talk, it works in your repository and answers",
    after_help = "\
Examples:
  duet exec \"which tests fail, and why?\"       ask by text, in this directory
  git diff | duet exec \"is anything missing?\"  what is piped in goes with the prompt
  duet talk                                     ask by voice, until Ctrl-C
  duet talk -i question.wav -o answer.wav       the same from and to a file
  duet demo                                     see it work on a small sample repository

Configuration: ~/.duet/config.toml ($DUET_HOME/config.toml). Without one, and without a key,
everything runs on the models of this machine.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 nothing could be done (no sandbox, every act
refused, models missing), 130 interrupted, 143 terminated."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Face(Face),

    /// Starts commands under the sandbox. Started by duet itself.
    #[command(hide = true)]
    Spawner,

    /// Runs the models. Started by duet itself.
    #[command(hide = true)]
    ModelHost {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
}

/// What people and programs call.
#[derive(Debug, Subcommand)]
pub(crate) enum Face {
    Exec(ExecArgs),
    Talk(TalkArgs),
    Demo(DemoArgs),
    Sessions(SessionsArgs),
    Models(ModelsArgs),
    AppServer(AppServerArgs),
    RealtimeServer(RealtimeServerArgs),
}

/// Gives the agent one task and prints its answer
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The answer alone goes to standard output; what happens on the way goes to standard error. The
agent works in the directory, under a sandbox without network that lets it write there and in
the temporary directory. Nothing is ever asked: what would need a permission is refused, and
the agent is told.

Examples:
  duet exec \"explain src/parser.rs in three sentences\"
  duet exec --cd ~/src/app \"run the tests and fix what fails\"
  git diff | duet exec \"what does this change?\"    what is piped in goes with the prompt
  duet exec - < task.txt                           a prompt from standard input
  duet exec resume --last \"and now the other one\"  go on where the last one ended
  duet exec --json \"list the TODOs\" | jq .         one event per line
  duet exec -o answer.md \"summarise the last commit\"")]
pub(crate) struct ExecArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ExecCommand>,

    /// What to do; `-` or nothing reads standard input. What is piped in besides goes with it
    pub(crate) prompt: Option<String>,

    #[command(flatten)]
    pub(crate) thread: ThreadFlags,

    #[command(flatten)]
    pub(crate) config: ConfigFlags,

    /// Print one JSON event per line (see docs/exec.md)
    #[arg(long, alias = "experimental-json", global = true)]
    pub(crate) json: bool,

    /// Also write the last message to this file
    #[arg(short = 'o', long = "output-last-message", value_name = "FILE", global = true)]
    pub(crate) answer_file: Option<PathBuf>,

    /// Accepted for the reference's clients: a git repository is never required
    #[arg(long, hide = true)]
    pub(crate) skip_git_repo_check: bool,
}

impl ExecArgs {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { Format::People }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ExecCommand {
    Resume(ResumeArgs),
}

/// Goes on with an earlier session: the agent knows what was said and done in it
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
It works where it worked before, with the same model, unless told otherwise. What it may do comes
from the configuration and the flags, as with a new one.

Examples:
  duet exec resume --last \"now fix it\"
  duet exec resume 01a20d0d-22b1-72d7-b156-ca1b4dac8a66 \"what did you change?\"
  duet sessions                                  which there are")]
pub(crate) struct ResumeArgs {
    /// The session, by its id in `duet sessions` or how that begins. Or give `--last`
    #[arg(value_name = "ID")]
    pub(crate) session: Option<String>,

    /// What to do; `-` or nothing reads standard input
    pub(crate) prompt: Option<String>,

    /// The newest session of this directory
    #[arg(long)]
    pub(crate) last: bool,

    /// With `--last`: of any directory that is still there
    #[arg(long, requires = "last")]
    pub(crate) all: bool,
}

/// Answers a spoken question with a spoken answer: from and to WAV files, or live through pipes
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Without --input you speak into the microphone, until Ctrl-C; without --output the answer comes out
of the speaker. Wear headphones: the echo of the speaker is not taken out of what the microphone
hears yet, and the voice would interrupt itself.

A file is played to the voice: to the one of this machine as fast as it listens, to a
service as a microphone would deliver it. There may be several: behind each the file stands still
until its answer has sounded. The voice hands work to the agent, which works in the
directory as with `duet exec`; the answer is spoken. The answer's WAV is what you would have
heard from the end of the question on, silences kept. Its text goes to standard output, steps
and latency to standard error.

`-` is raw sound on standard input or output, as is a named pipe: 24 kHz mono PCM16,
little-endian, no header. Raw input is live: what is said while an answer sounds interrupts it.
Raw output is what a speaker plays, in real time, silence where nothing sounds; with `--output -`
all text goes to standard error.

Examples:
  duet talk --captions                             a conversation, until Ctrl-C
  duet talk --microphone headset --speaker headset
  duet talk --input question.wav --output answer.wav --captions
  arecord -t raw -f S16_LE -r 24000 -c 1 | duet talk -i - -o - --captions \\
    | aplay -t raw -f S16_LE -r 24000 -c 1         the same where there is no sound server
  duet talk --cd ~/src/app --input q.wav --output a.wav --json | jq 'select(.type==\"end\")'")]
pub(crate) struct TalkArgs {
    /// The question: a WAV file of any rate, channel count and sample format, or raw sound from
    /// a pipe (`-`: standard input) [default: the microphone]
    #[arg(short, long, value_name = "WAV|PIPE|-")]
    pub(crate) input: Option<PathBuf>,

    /// Where the spoken answer is written: a WAV file, or raw sound into a pipe (`-`: standard
    /// output) [default: the speaker]
    #[arg(short, long, value_name = "WAV|PIPE|-")]
    pub(crate) output: Option<PathBuf>,

    /// This microphone instead of the default: its name, or a part of it
    #[arg(long, value_name = "NAME", conflicts_with = "input")]
    pub(crate) microphone: Option<String>,

    /// This speaker instead of the default: its name, or a part of it
    #[arg(long, value_name = "NAME", conflicts_with = "output")]
    pub(crate) speaker: Option<String>,

    /// Name the microphones and speakers of this machine, and leave
    #[arg(long, exclusive = true)]
    pub(crate) list_devices: bool,

    /// Play the file as a microphone would, without waiting for answers: what is said meanwhile
    /// interrupts, or adds to the work. A pipe is always heard so
    #[arg(long)]
    pub(crate) no_wait: bool,

    /// Show what is spoken too, as it is spoken. What was heard is always shown
    #[arg(long)]
    pub(crate) captions: bool,

    /// Print one JSON event per line (see docs/talk.md)
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) thread: ThreadFlags,

    #[command(flatten)]
    pub(crate) config: ConfigFlags,
}

impl TalkArgs {
    pub(crate) fn input(&self) -> Input {
        match &self.input {
            Some(path) => Input::named(path.clone()),
            None => Input::Microphone(self.microphone.clone()),
        }
    }

    pub(crate) fn output(&self) -> Output {
        match &self.output {
            Some(path) => Output::named(path.clone()),
            None => Output::Speaker(self.speaker.clone()),
        }
    }

    pub(crate) fn format(&self) -> TalkFormat {
        match self.json {
            true => TalkFormat::Json,
            false => TalkFormat::People { captions: self.captions },
        }
    }
}

/// Talks to a small sample repository, with nothing but the models of this machine
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Makes a small Rust repository with one failing test, plays a recorded request (\"run the tests
and tell me what fails\") through the whole path, and judges the result: the tests really ran,
and the spoken answer, heard by our own ears, names the test that fails. Needs no key and no
network once the models are there. Your config.toml and AGENTS.md do not count here.

Exit code 0 only if the verdict is good.")]
pub(crate) struct DemoArgs {
    /// Where the spoken answer is written
    #[arg(short, long, value_name = "WAV", default_value = "answer.wav")]
    pub(crate) output: PathBuf,
}

/// Lists what was talked about before, newest first
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Each line: the session's id, when it was last written, its directory, and the first words.

Examples:
  duet sessions
  duet sessions --cd . --limit 5
  duet sessions --json | jq -r .path       where each is kept, one JSON line per event")]
pub(crate) struct SessionsArgs {
    /// Only sessions of this directory
    #[arg(short = 'C', long = "cd", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,

    /// At most this many
    #[arg(
        short = 'n',
        long,
        value_name = "COUNT",
        default_value = "20",
        value_parser = RangedU64ValueParser::<usize>::new().range(1..)
    )]
    pub(crate) limit: usize,

    /// Print one JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

/// Serves the voice of this machine to any client of the OpenAI Realtime protocol
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Clients connect a WebSocket to ws://ADDRESS/v1/realtime and show the key as a bearer token.
Ears and voice are this machine's; replies are written by the configured model (`model`,
`model_provider`), or handed to the tool that the client offers. Without a key
one is made, and the path of its file, which only you can read, is printed.

Examples:
  duet realtime-server
  DUET_REALTIME_API_KEY=$(openssl rand -hex 24) duet realtime-server --listen 127.0.0.1:8800")]
pub(crate) struct RealtimeServerArgs {
    /// Address and port (`localhost` is 127.0.0.1, and so is no address); port 0 takes any that
    /// is free
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:0", value_parser = address)]
    pub(crate) listen: SocketAddr,

    /// What clients must show, at least 16 characters. Everybody on this machine can read a
    /// command line: better put it into $DUET_REALTIME_API_KEY
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,

    /// Let other machines in, although nothing is encrypted on the way
    #[arg(long)]
    pub(crate) allow_other_machines: bool,

    #[command(flatten)]
    pub(crate) config: ConfigFlags,
}

/// `127.0.0.1:8800`, `[::1]:8800`, `localhost:8800` or `8800`.
fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    if let Ok(port) = port.parse() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| {
        "give an IP address and a port, such as 127.0.0.1:8800, or the port alone".to_owned()
    })
}

/// Serves the agent to other programs, by JSON-RPC on standard input and output
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
One JSON-RPC message per line. The first request must be `initialize`; the methods are those of
docs/app-server.md, which existing clients of the protocol know.

Example:
  echo '{\"id\":1,\"method\":\"initialize\",\"params\":{\"clientInfo\":{\"name\":\"me\",\"version\":\"1\"}}}' \\
    | duet app-server")]
pub(crate) struct AppServerArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFlags,

    /// Where clients are served
    #[arg(long, value_enum, default_value_t = Listen::Stdio, value_name = "ADDRESS")]
    pub(crate) listen: Listen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Listen {
    #[value(name = "stdio://")]
    Stdio,
}

/// Where and how the agent works.
#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ThreadFlags {
    /// Work in this directory [default: the current one]
    #[arg(short = 'C', long = "cd", value_name = "DIR", global = true)]
    pub(crate) dir: Option<PathBuf>,

    /// The model, instead of the configured one. Needs a provider: the bundled model is the only
    /// one of its own
    #[arg(short, long, global = true, value_parser = NonEmptyStringValueParser::new())]
    pub(crate) model: Option<String>,

    /// What commands may do [default: workspace-write]
    #[arg(short, long, value_enum, value_name = "MODE", global = true)]
    pub(crate) sandbox: Option<SandboxFlag>,

    /// Let commands write here too, besides the configured writable roots (may be repeated)
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) add_dir: Vec<PathBuf>,

    /// Keep no record of the session on disk
    #[arg(long, global = true)]
    pub(crate) ephemeral: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SandboxFlag {
    /// Nothing is written, no network
    ReadOnly,
    /// Writes below the directory and the temporary directory, no network
    WorkspaceWrite,
    /// No sandbox at all
    DangerFullAccess,
}

impl From<SandboxFlag> for SandboxModeName {
    fn from(flag: SandboxFlag) -> Self {
        match flag {
            SandboxFlag::ReadOnly => Self::ReadOnly,
            SandboxFlag::WorkspaceWrite => Self::WorkspaceWrite,
            SandboxFlag::DangerFullAccess => Self::DangerFullAccess,
        }
    }
}

#[derive(Debug, Clone, ClapArgs)]
pub(crate) struct ConfigFlags {
    /// Set a key of config.toml for this run (may be repeated)
    #[arg(
        short = 'c',
        long = "config",
        value_name = "KEY=VALUE",
        value_parser = Override::parse,
        global = true
    )]
    pub(crate) overrides: Vec<Override>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_short_names() {
        for text in ["127.0.0.1:8800", "localhost:8800", ":8800", "8800"] {
            assert_eq!(address(text).unwrap().to_string(), "127.0.0.1:8800", "{text}");
        }
        assert_eq!(address("[::1]:80").unwrap().to_string(), "[::1]:80");
        for text in ["example.org:80", "127.0.0.1", "99999", ""] {
            assert!(address(text).unwrap_err().contains("127.0.0.1:8800"), "{text}");
        }
    }
}
