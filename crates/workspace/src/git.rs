//! Git, for looking: nothing that a repository configures is run.
//!
//! A repository's own configuration can name programs for almost everything git does, and whoever
//! can write into `.git` (a sandboxed command can) could so make *our* git run them. Every call
//! here overrides what can be overridden by a fixed name, switches off what has an option, and
//! empties the filters, whose names are the repository's, one by one.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// For calls that only read the index and the refs.
const TIME_LIMIT: Duration = Duration::from_secs(20);
const OUTPUT_LIMIT: u64 = 16 << 20;

/// Configuration that would run a program, wait for a person or change the output.
const OVERRIDES: [(&str, &str); 18] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.pager", "cat"),
    ("core.editor", "false"),
    ("core.askPass", ""),
    ("core.sshCommand", "false"),
    ("core.quotePath", "false"),
    ("credential.helper", ""),
    ("diff.external", ""),
    ("diff.ignoreSubmodules", "all"),
    ("diff.mnemonicPrefix", "false"),
    ("diff.noprefix", "false"),
    ("gpg.program", "false"),
    ("log.showSignature", "false"),
    ("log.mailmap", "false"),
    ("protocol.allow", "never"),
    ("submodule.recurse", "false"),
    ("color.ui", "never"),
];

/// A git that looks into a submodule obeys that one's configuration, and `submodule.NAME.ignore`,
/// which the repository sets, wins over `diff.ignoreSubmodules`. Nothing wins over the option.
const NO_SUBMODULES: &str = "--ignore-submodules=all";

/// Variables of ours that git gets. None of `GIT_*`, which could point it elsewhere.
const ENVIRONMENT: [&str; 5] = ["PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR", "USER"];

/// A call that is ready to run, by us or in a sandbox, in the workspace's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitCommand {
    pub argv: Vec<OsString>,
    /// Its whole environment.
    pub env: Vec<(OsString, OsString)>,
}

/// Git on one workspace.
#[derive(Debug, Clone)]
pub struct Git {
    program: PathBuf,
    root: PathBuf,
    /// Filter drivers that are configured, whose programs are taken away.
    filters: Vec<String>,
}

impl Git {
    /// `None` when there is no git, or `root` is not in a work tree that git trusts (one that
    /// belongs to somebody else, for instance).
    pub fn open(root: &Path) -> Option<Self> {
        let program = program(root)?;
        let mut git = Self { program, root: root.to_owned(), filters: Vec::new() };
        let inside = git.run(&["rev-parse", "--is-inside-work-tree"])?;
        if inside.trim() != "true" {
            return None;
        }
        // Exits with 1 when there are none.
        let names = git.run(&["config", "--null", "--name-only", "--get-regexp", r"^filter\."]);
        for key in names.unwrap_or_default().split('\0') {
            let name = key.strip_prefix("filter.").and_then(|it| it.rsplit_once('.'));
            if let Some((name, _)) = name
                && !git.filters.iter().any(|known| known == name)
            {
                git.filters.push(name.to_owned());
            }
        }
        Some(git)
    }

    /// Tracked and unignored files below the root, relative to it.
    pub(crate) fn files(&self) -> Option<Vec<String>> {
        let listed = self.run(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        Some(listed.split_terminator('\0').map(str::to_owned).collect())
    }

    /// `None` when no branch is checked out.
    pub fn branch(&self) -> Option<String> {
        let name = self.run(&["symbolic-ref", "--short", "--quiet", "HEAD"])?;
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    pub fn has_commits(&self) -> bool {
        self.run(&["rev-parse", "--verify", "--quiet", "HEAD"]).is_some()
    }

    /// The last commits and their files, for [`Commit::parse_all`].
    pub fn log(&self, commits: u32) -> GitCommand {
        self.command(&[
            "log",
            &format!("--max-count={commits}"),
            "--date=short",
            "--format=%x1e%h%x09%ad%x09%an%x09%s",
            "--name-status",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            NO_SUBMODULES,
        ])
    }

    /// All changes since the last commit, staged or not, of files that git knows.
    pub fn diff(&self) -> GitCommand {
        let base: &[&str] = if self.has_commits() { &["HEAD"] } else { &["--cached"] };
        let options = ["diff", "--no-ext-diff", "--no-textconv", "--no-color", NO_SUBMODULES];
        self.command(&[&options, base].concat())
    }

    /// For [`Status::parse`].
    pub fn status(&self) -> GitCommand {
        self.command(&["status", "--porcelain=v1", "-z", "--untracked-files=all", NO_SUBMODULES])
    }

    /// What the last commit says and changed.
    pub fn last_commit(&self) -> GitCommand {
        self.command(&[
            "show",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            // As a line with the commit: anything else asks a git that runs in the submodule.
            "--submodule=short",
            "--stat=100",
            "--patch",
            "--date=short",
            "--format=%h by %an on %ad: %s%n%n%b",
            "HEAD",
        ])
    }

    fn command(&self, arguments: &[&str]) -> GitCommand {
        let mut argv = vec![self.program.clone().into_os_string()];
        argv.extend(
            ["--no-pager", "--no-optional-locks", "--literal-pathspecs"].map(OsString::from),
        );
        argv.extend(arguments.iter().map(OsString::from));
        let inherited = ENVIRONMENT
            .into_iter()
            .filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?)));
        let fixed = [
            ("LC_ALL", "C.UTF-8"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
        ];
        let fixed = fixed.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let mut env: Vec<(OsString, OsString)> = inherited.chain(fixed).collect();
        // By environment and not by `-c`: a filter's name may hold an equals sign.
        let settings = self.settings();
        env.push(("GIT_CONFIG_COUNT".into(), settings.len().to_string().into()));
        for (index, (key, value)) in settings.into_iter().enumerate() {
            env.push((format!("GIT_CONFIG_KEY_{index}").into(), key.into()));
            env.push((format!("GIT_CONFIG_VALUE_{index}").into(), value.into()));
        }
        GitCommand { argv, env }
    }

    fn settings(&self) -> Vec<(String, String)> {
        let fixed = OVERRIDES.iter().map(|(key, value)| (key.to_string(), value.to_string()));
        let filters = self.filters.iter().flat_map(|name| {
            let empty = ["clean", "smudge", "process"]
                .map(|kind| (format!("filter.{name}.{kind}"), String::new()));
            let optional = (format!("filter.{name}.required"), "false".to_owned());
            empty.into_iter().chain([optional])
        });
        fixed.chain(filters).collect()
    }

    /// For calls that open no file of the work tree. `None` when git fails or takes too long.
    fn run(&self, arguments: &[&str]) -> Option<String> {
        let GitCommand { argv, env } = self.command(arguments);
        let (program, arguments) = argv.split_first()?;
        let mut child = std::process::Command::new(program)
            .args(arguments)
            .current_dir(&self.root)
            .env_clear()
            .envs(env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let stdout = child.stdout.take()?;
        let (sender, output) = mpsc::sync_channel(1);
        let reader = std::thread::Builder::new().name("git output".to_owned()).spawn(move || {
            let mut bytes = Vec::new();
            let read = stdout.take(OUTPUT_LIMIT).read_to_end(&mut bytes);
            // Nobody waits any more: the time was up.
            drop(sender.send(read.map(|_| bytes)));
        });
        let bytes = match reader {
            Ok(_) => output.recv_timeout(TIME_LIMIT).ok().and_then(Result::ok),
            Err(_) => None,
        };
        // All of it was read, or none of it is wanted; a git that writes on is ended.
        let done = match &bytes {
            Some(bytes) if (bytes.len() as u64) < OUTPUT_LIMIT => child.wait().ok(),
            Some(_) | None => child.kill().and_then(|()| child.wait()).ok(),
        };
        done.filter(std::process::ExitStatus::success)?;
        String::from_utf8(bytes?).ok()
    }
}

/// One commit of [`Git::log`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    pub hash: String,
    pub date: String,
    pub author: String,
    pub subject: String,
    pub files: Vec<CommittedFile>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedFile {
    pub kind: CommittedKind,
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CommittedKind {
    Added,
    Deleted,
    Changed,
}

impl Commit {
    /// Newest first. What is cut or is no commit is passed over.
    pub fn parse_all(output: &str) -> Vec<Self> {
        output.split('\x1e').filter_map(Self::parse).collect()
    }

    fn parse(record: &str) -> Option<Self> {
        let mut lines = record.lines();
        let mut fields = lines.next()?.splitn(4, '\t').map(str::to_owned);
        let (hash, date) = (fields.next()?, fields.next()?);
        let (author, subject) = (fields.next()?, fields.next()?);
        let files = lines.filter_map(|line| {
            let (kind, path) = line.split_once('\t')?;
            let kind = match kind {
                "A" => CommittedKind::Added,
                "D" => CommittedKind::Deleted,
                _ => CommittedKind::Changed,
            };
            Some(CommittedFile { kind, path: path.to_owned() })
        });
        Some(Self { hash, date, author, subject, files: files.collect() })
    }
}

/// What is not committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    pub entries: Vec<StatusEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusEntry {
    pub kind: StatusKind,
    pub path: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StatusKind {
    Changed,
    Added,
    Deleted,
    Renamed,
    /// Git does not know it.
    Untracked,
    /// Both sides of a merge changed it.
    Conflicted,
}

impl Status {
    /// From the output of [`Git::status`]. What does not look like it is passed over.
    pub fn parse(output: &str) -> Self {
        let mut entries = Vec::new();
        let mut fields = output.split('\0');
        while let Some(field) = fields.next() {
            let Some((&[index, tree, b' '], path)) = field
                .split_at_checked(3)
                .and_then(|(code, path)| Some((code.as_bytes().first_chunk()?, path)))
            else {
                continue;
            };
            let kind = match (index, tree) {
                (b'?', b'?') => StatusKind::Untracked,
                (b'!', b'!') => continue,
                (b'U', _) | (_, b'U') | (b'A', b'A') | (b'D', b'D') => StatusKind::Conflicted,
                (b'R' | b'C', _) | (_, b'R' | b'C') => {
                    // The old name follows.
                    fields.next();
                    StatusKind::Renamed
                }
                (b'D', _) | (_, b'D') => StatusKind::Deleted,
                (b'A', _) | (_, b'A') => StatusKind::Added,
                (_, _) => StatusKind::Changed,
            };
            entries.push(StatusEntry { kind, path: path.to_owned() });
        }
        Self { entries }
    }
}

/// Git by its absolute path: not from a relative entry of `PATH`, nor from below the workspace,
/// where the repository could have put one.
fn program(root: &Path) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute() && !directory.starts_with(root))
        .map(|directory| directory.join(OsStr::new("git")))
        .find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_sorted_by_what_happened() {
        let output = " M a.rs\0M  b.rs\0?? new file\0R  to.rs\0from.rs\0 D gone\0A  add\0UU both\0";
        let status = Status::parse(output);
        let seen: Vec<(StatusKind, &str)> =
            status.entries.iter().map(|entry| (entry.kind, entry.path.as_str())).collect();
        assert_eq!(
            seen,
            [
                (StatusKind::Changed, "a.rs"),
                (StatusKind::Changed, "b.rs"),
                (StatusKind::Untracked, "new file"),
                (StatusKind::Renamed, "to.rs"),
                (StatusKind::Deleted, "gone"),
                (StatusKind::Added, "add"),
                (StatusKind::Conflicted, "both"),
            ]
        );
        assert_eq!(Status::parse(""), Status::default());
        assert_eq!(Status::parse("x\0\u{20ac}\u{20ac}").entries.len(), 0);
    }

    #[test]
    fn a_log_becomes_commits() {
        let log = "warning: x\n\x1eabc\t2026-01-02\tAnn B\tFix\tit\n\nA\ta b.rs\nM\tc\nD\td\n\x1edef\t2026";
        let [commit] = Commit::parse_all(log).try_into().unwrap();
        assert_eq!(
            (commit.hash.as_str(), commit.author.as_str(), commit.subject.as_str()),
            ("abc", "Ann B", "Fix\tit")
        );
        let files: Vec<(CommittedKind, &str)> =
            commit.files.iter().map(|it| (it.kind, it.path.as_str())).collect();
        assert_eq!(
            files,
            [
                (CommittedKind::Added, "a b.rs"),
                (CommittedKind::Changed, "c"),
                (CommittedKind::Deleted, "d"),
            ]
        );
    }
}
