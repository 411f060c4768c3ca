//! Whether a file can be read by its language at all: the least that an edit must keep.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use sandboxing::{Availability, availability};

use crate::command::{Program, Telling, run_program};
use crate::policy::reading;
use crate::running::Ports;
use crate::text::{clip, plain};
use crate::toolbox::Job;

const TIME_LIMIT: Duration = Duration::from_secs(20);

/// Bytes of a parser's complaint.
const COMPLAINT: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Or nobody here can tell.
    Fine,
    /// What the parser says, with the line.
    Broken(String),
}

/// Asks the language's own parser, where it is installed. The file is only parsed, never run, and
/// in a sandbox that allows neither writes nor the network.
pub(crate) async fn check(job: &Job, ports: &mut Ports, path: &str, text: &str) -> Verdict {
    let extension = Path::new(path).extension().and_then(|it| it.to_str()).unwrap_or_default();
    if extension == "json" {
        let parsed = serde_json::from_str::<serde_json::Value>(text);
        return parsed.map_or_else(|error| Verdict::Broken(error.to_string()), |_| Verdict::Fine);
    }
    let module =
        text.lines().any(|line| line.starts_with("import ") || line.starts_with("export "));
    let Some(parser) = Parser::of(extension, module) else { return Verdict::Fine };
    if matches!(availability(), Availability::Unavailable { .. }) {
        return Verdict::Fine;
    }
    let Ok(file) = write_aside(parser.suffix, text) else { return Verdict::Fine };
    let confinement = reading();
    let program = Program {
        argv: parser.argv(file.path()),
        env: job.environment.for_command(&confinement, None, job.scratch.path()),
        confinement,
        time_limit: TIME_LIMIT,
    };
    match run_program(job, ports, program, Telling::Live).await {
        Ok(finished) if finished.exit.code == Some(parser.complains) => {
            let said = plain(&finished.output).replace(&file.path().display().to_string(), path);
            Verdict::Broken(clip(said.trim(), COMPLAINT))
        }
        // Not installed, or ill: no reason to refuse an edit.
        Ok(_) | Err(_) => Verdict::Fine,
    }
}

struct Parser {
    /// What the file must be called.
    suffix: &'static str,
    /// A bash script in which `$0` is the file.
    script: &'static str,
    /// The exit code that means "this is no such language".
    complains: i32,
}

impl Parser {
    fn of(extension: &str, module: bool) -> Option<Self> {
        let parser = |suffix, script, complains| Some(Self { suffix, script, complains });
        match extension {
            "py" => parser(
                ".py",
                // Isolated: else `import ast` takes the repository's own `ast.py`.
                "exec python3 -I -c 'import ast, sys
try:
    ast.parse(open(sys.argv[1], encoding=\"utf-8\").read())
except SyntaxError as error:
    print(f\"line {error.lineno}: {error.msg}\")
    sys.exit(1)' \"$0\"",
                1,
            ),
            // From standard input it follows no `mod`.
            "rs" => parser(".rs", "exec rustfmt --edition 2024 < \"$0\" 2>&1 >/dev/null", 1),
            "mjs" => parser(".mjs", "exec node --check \"$0\"", 1),
            "cjs" => parser(".cjs", "exec node --check \"$0\"", 1),
            "js" if module => parser(".mjs", "exec node --check \"$0\"", 1),
            "js" => parser(".cjs", "exec node --check \"$0\"", 1),
            "go" => parser(".go", "exec gofmt -e \"$0\" >/dev/null", 2),
            "sh" | "bash" => parser(".sh", "exec bash -n \"$0\"", 2),
            _ => None,
        }
    }

    fn argv(&self, file: &Path) -> Vec<OsString> {
        vec!["bash".into(), "-c".into(), self.script.into(), file.into()]
    }
}

/// In a temporary directory, where nothing runs it.
fn write_aside(suffix: &str, text: &str) -> std::io::Result<tempfile::NamedTempFile> {
    let file = tempfile::Builder::new().prefix("duet-").suffix(suffix).tempfile()?;
    std::fs::write(file.path(), text)?;
    Ok(file)
}
