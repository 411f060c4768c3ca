//! A home, a repository and a way to run `duet` in them, apart from the user's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use models::{Manifest, Shelf};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) struct Lab {
    dir: TempDir,
}

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(lab.home()).unwrap();
        fs::create_dir(lab.repo()).unwrap();
        let git = |args: &[&str]| {
            let status = Command::new("git").args(args).current_dir(lab.repo()).status().unwrap();
            assert!(status.success(), "git {args:?}");
        };
        git(&["init", "--quiet"]);
        fs::write(lab.repo().join("notes.txt"), "remember the milk\n").unwrap();
        lab
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    pub(crate) fn repo(&self) -> PathBuf {
        self.dir.path().join("repo")
    }

    pub(crate) fn config(&self, text: &str) {
        fs::write(self.home().join("config.toml"), text).unwrap();
    }

    /// A provider at `base_url` whose key is in `MOCK_KEY`, which is set.
    pub(crate) fn provider(&self, base_url: &str) {
        self.provider_and(base_url, "");
    }

    /// The same, with lines of the file before its tables.
    pub(crate) fn provider_and(&self, base_url: &str, settings: &str) {
        self.config(&format!(
            "{settings}\nmodel = \"mock-model\"\nmodel_provider = \"mock\"\n\n\
             [model_providers.mock]\nname = \"Mock\"\nbase_url = \"{base_url}\"\n\
             env_key = \"MOCK_KEY\"\n"
        ));
    }

    /// `duet` in the repository, with nothing of the user's environment but the path.
    pub(crate) fn duet(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_duet"));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("DUET_HOME", self.home())
            .env("DUET_MODELS", self.dir.path().join("models"))
            .env("XDG_RUNTIME_DIR", self.dir.path())
            .env("MOCK_KEY", "key-of-the-mock")
            .current_dir(self.repo())
            .stdin(Stdio::null());
        for name in ["LLVM_PROFILE_FILE", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Files as long as those of the ears and the voice, and nothing in them: enough for
    /// whoever only looks whether they are there.
    pub(crate) fn hollow_voice(&self) {
        let shelf = Shelf::at(self.dir.path().join("models"));
        let manifest = Manifest::bundled().unwrap();
        for file in manifest.set("default").filter(|file| file.id != "agent") {
            let path = shelf.path_of(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let hollow = fs::File::create(&path).unwrap();
            hollow.set_len(file.bytes).unwrap();
            // The note that is left where contents were looked at.
            let changed = hollow.metadata().unwrap().modified().unwrap();
            let changed = changed.duration_since(UNIX_EPOCH).unwrap().as_nanos();
            let note = shelf.dir().join(".verified").join(&file.path);
            fs::create_dir_all(note.parent().unwrap()).unwrap();
            fs::write(note, format!("{} {} {changed}\n", file.sha256, file.bytes)).unwrap();
        }
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.duet().args(args))
    }

    /// The lines of the only thread's log.
    pub(crate) fn rollout(&self) -> Vec<Value> {
        let mut files = Vec::new();
        find(&self.home().join("sessions"), &mut files);
        let [file] = files.as_slice() else { panic!("not one log but {files:?}") };
        let text = fs::read_to_string(file).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Ran {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// On a machine that has no Landlock and lets bubblewrap mount nothing, as far as the command
    /// can see: what the thread may not call, its children may not.
    pub(crate) fn without_sandbox(command: &mut Command) -> Self {
        let filter = SeccompFilter::new(
            [libc::SYS_landlock_create_ruleset, libc::SYS_mount].map(|it| (it, Vec::new())).into(),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::ENOSYS as u32),
            std::env::consts::ARCH.try_into().unwrap(),
        );
        let program: BpfProgram = filter.unwrap().try_into().unwrap();
        std::thread::scope(|scope| {
            let run = scope.spawn(|| {
                seccompiler::apply_filter(&program).unwrap();
                Self::of(command)
            });
            run.join().unwrap()
        })
    }

    /// Fails with everything that was printed.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, out: &str) {
        assert_eq!((self.code, self.out.as_str()), (Some(code), out), "progress:\n{}", self.err);
    }

    /// The last line of progress: why it did not work.
    #[track_caller]
    pub(crate) fn expect_failure(&self, code: i32, said: &[&str]) {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        let last = self.err.lines().last().unwrap_or_default();
        for words in said {
            assert!(last.contains(words), "{words:?} is not in the last line of:\n{}", self.err);
        }
        assert!(!self.err.contains("panicked"), "{}", self.err);
    }
}

fn find(dir: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find(&path, files);
        } else {
            files.push(path);
        }
    }
}
