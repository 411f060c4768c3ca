//! Do the tests notice? Plants the bugs of `evals/mutants.toml`, one at a time and never here
//! but in a copy of the tree below `target/mutants`, and says which of them no test noticed.
//!
//! The copy has a target folder of its own, so that nothing of ours is built anew because of
//! a bug that was planted, and only the crate at hand is built, not what uses it.

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::step::{cargo, git, output, target_dir};

const LIST: &str = "evals/mutants.toml";
const PAGE: &str = "docs/mutants.md";

/// A bug can make a test run for ever. The slowest healthy one takes a few seconds.
const NEXTEST: &str =
    "[profile.default]\nslow-timeout = { period = \"90s\", terminate-after = 1 }\n";

/// How nextest says that everything was built and a test failed.
const TESTS_FAILED: i32 = 100;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only mutants whose crate, file or sentence contains this; writes no record
    #[arg(long)]
    only: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutants {
    mutant: Vec<Mutant>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    #[serde(rename = "crate")]
    package: String,
    /// Below the crate's `src`.
    file: PathBuf,
    find: String,
    replace: String,
    wrong: String,
}

/// What became of a planted bug.
enum Fate {
    Killed(Witnesses),
    Survived,
}

/// The tests that failed, by name; never none.
struct Witnesses(BTreeSet<String>);

impl fmt::Display for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = self.0.first().map_or("a test without a name", String::as_str);
        match self.0.len() {
            0 | 1 => write!(f, "`{first}`"),
            more => write!(f, "`{first}` and {} more", more - 1),
        }
    }
}

pub(crate) fn plant_all(arguments: &Arguments) -> anyhow::Result<()> {
    let mut mutants = read(Path::new("."))?;
    if let Some(only) = &arguments.only {
        mutants.retain(|it| it.has(only));
        ensure!(!mutants.is_empty(), "no mutant in {LIST} contains `{only}`");
    }
    let copy = Copy::make()?;
    let packages: BTreeSet<&str> = mutants.iter().map(|it| it.package.as_str()).collect();
    for package in packages {
        if let Fate::Killed(by) = copy.test(package)? {
            bail!("{package}: {by} fails without any mutant; mend that first");
        }
        println!("{package}: its tests pass without a mutant");
    }
    let mut fates = Vec::new();
    for mutant in &mutants {
        let fate = copy.test_with(mutant)?;
        let verdict = match &fate {
            Fate::Killed(by) => format!("killed by {by}"),
            Fate::Survived => "SURVIVED".to_owned(),
        };
        let Mutant { package, file, wrong, .. } = mutant;
        println!("{package}/{}: {wrong}: {verdict}", file.display());
        fates.push((mutant, fate));
    }
    if arguments.only.is_none() {
        let commit = output(git().args(["rev-parse", "--short", "HEAD"]))?;
        let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
        fs::write(PAGE, page(&fates, &date, &commit)?).context(PAGE)?;
        println!("written to {PAGE}");
    }
    let survivors = fates.iter().filter(|it| matches!(it.1, Fate::Survived)).count();
    ensure!(survivors == 0, "{survivors} of {} mutants survived: a test is missing", fates.len());
    Ok(())
}

impl Mutant {
    fn has(&self, words: &str) -> bool {
        let file = self.file.to_string_lossy();
        [self.package.as_str(), &file, &self.wrong].iter().any(|it| it.contains(words))
    }

    fn path(&self) -> PathBuf {
        Path::new("crates").join(&self.package).join("src").join(&self.file)
    }

    /// The file with the bug in it.
    fn plant(&self, text: &str) -> anyhow::Result<String> {
        let found = text.matches(&self.find).count();
        ensure!(
            found == 1,
            "{LIST}: `{}` stands {found} times in {}, not once; say more of what is around it, \
             or what it has become",
            self.find.trim(),
            self.path().display()
        );
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

/// The mutants, every one of which can be planted.
fn read(root: &Path) -> anyhow::Result<Vec<Mutant>> {
    let text = fs::read_to_string(root.join(LIST)).context(LIST)?;
    let Mutants { mutant: mutants } = toml::from_str(&text).context(LIST)?;
    for mutant in &mutants {
        let path = root.join(mutant.path());
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        mutant.plant(&text)?;
    }
    Ok(mutants)
}

/// The tree as it is now, with a target folder of its own.
struct Copy {
    tree: PathBuf,
    build: PathBuf,
    config: PathBuf,
}

impl Copy {
    /// Writes only what differs from the last time, so that the rest need not be built again.
    fn make() -> anyhow::Result<Self> {
        let folder = target_dir()?.join("mutants");
        let copy = Self {
            tree: folder.join("tree"),
            build: folder.join("build"),
            config: folder.join("nextest.toml"),
        };
        fs::create_dir_all(&copy.tree)?;
        fs::write(&copy.config, NEXTEST)?;
        let files =
            output(git().args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
        // What was deleted and not committed is still listed.
        let files: BTreeSet<PathBuf> =
            files.split_terminator('\0').map(PathBuf::from).filter(|it| it.is_file()).collect();
        for file in &files {
            let to = copy.tree.join(file);
            let bytes = fs::read(file).with_context(|| file.display().to_string())?;
            if fs::read(&to).is_ok_and(|there| there == bytes) {
                continue;
            }
            fs::create_dir_all(to.parent().context("a file has a folder")?)?;
            fs::write(&to, bytes).with_context(|| to.display().to_string())?;
        }
        copy.forget_others(&copy.tree, &files)?;
        Ok(copy)
    }

    fn forget_others(&self, dir: &Path, files: &BTreeSet<PathBuf>) -> anyhow::Result<()> {
        for entry in fs::read_dir(dir)? {
            let (entry, path) = entry.map(|it| (it.file_type(), it.path()))?;
            let name = path.strip_prefix(&self.tree)?;
            if entry?.is_dir() {
                if files.iter().any(|it| it.starts_with(name)) {
                    self.forget_others(&path, files)?;
                } else {
                    fs::remove_dir_all(&path)?;
                }
            } else if !files.contains(name) {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }

    fn test_with(&self, mutant: &Mutant) -> anyhow::Result<Fate> {
        let path = self.tree.join(mutant.path());
        let healthy = fs::read_to_string(&path)?;
        fs::write(&path, mutant.plant(&healthy)?)?;
        let fate = self.test(&mutant.package);
        // Also when it could not be built: the next one needs the rest of the crate healthy.
        fs::write(&path, healthy)?;
        fate.with_context(|| format!("with the mutant `{}`", mutant.wrong))
    }

    /// All its tests, so that the record does not depend on which of them is the quickest.
    fn test(&self, package: &str) -> anyhow::Result<Fate> {
        let done = cargo(&["nextest", "run", "--locked", "--no-fail-fast", "--package", package])
            .args(["--color", "never", "--status-level", "fail", "--config-file"])
            .arg(&self.config)
            .current_dir(&self.tree)
            .env("CARGO_TARGET_DIR", &self.build)
            // A bug may leave a name unused.
            .env("RUSTFLAGS", "-Awarnings")
            .output()
            .context("start cargo nextest")?;
        let Output { status, stderr, .. } = done;
        let said = String::from_utf8_lossy(&stderr);
        match status.code() {
            Some(0) => Ok(Fate::Survived),
            Some(TESTS_FAILED) => Ok(Fate::Killed(failing_tests(&said))),
            Some(_) | None => bail!(
                "cargo nextest could not run the tests ({status}; it comes with `cargo install \
                 --locked cargo-nextest`):\n{said}"
            ),
        }
    }
}

/// The tests that nextest says failed: `FAIL [   0.012s] (3/9) thread::it world::seeds`.
fn failing_tests(said: &str) -> Witnesses {
    let failed = |line: &str| {
        let (how, rest) = line.trim().split_once(" [")?;
        let failed = how == "FAIL" || how == "TIMEOUT" || how.starts_with("SIG");
        Some(rest.split_whitespace().last().filter(|_| failed)?.to_owned())
    };
    Witnesses(said.lines().filter_map(failed).collect())
}

fn page(fates: &[(&Mutant, Fate)], date: &str, commit: &str) -> anyhow::Result<String> {
    let killed = fates.iter().filter(|it| matches!(it.1, Fate::Killed(_))).count();
    let mut page = format!(
        "# Planted mutants\n\nBugs planted on purpose (`{LIST}`), each noticed by a test of its \
         own crate or not. Written by `cargo xtask mutants`. {date}, on top of commit {commit}: \
         **{killed} of {} die**.\n\n| crate | file | what would go wrong | noticed by |\n|---|---|---|---|\n",
        fates.len()
    );
    for (Mutant { package, file, wrong, .. }, fate) in fates {
        let by = match fate {
            Fate::Killed(by) => by.to_string(),
            Fate::Survived => "**survived**".to_owned(),
        };
        writeln!(page, "| `{package}` | `{}` | {wrong} | {by} |", file.display())?;
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes such a line must change the list with it.
    #[test]
    fn every_mutant_can_be_planted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = read(&root).unwrap();
        assert!(24 <= mutants.len());
    }

    #[test]
    fn the_place_must_be_told_exactly() {
        let mutant = Mutant {
            package: "thread".to_owned(),
            file: "lib.rs".into(),
            find: "one".to_owned(),
            replace: "two".to_owned(),
            wrong: "nothing".to_owned(),
        };
        assert_eq!(mutant.plant("a one b").unwrap(), "a two b");
        for text in ["", "one and one"] {
            let error = mutant.plant(text).unwrap_err().to_string();
            assert!(error.contains("times in crates/thread/src/lib.rs, not once"), "{error}");
        }
    }

    #[test]
    fn failing_tests_are_named_once() {
        let said = "\
    Starting 9 tests across 2 binaries
        PASS [   0.003s] (1/9) thread stop_words::tests::whole
        FAIL [   0.012s] (3/9) thread::it world::seeds
  stderr ───
     TIMEOUT [  90.001s] (4/9) thread::it told::typed
     SIGABRT [   0.013s] (5/9) thread::it told::again
────────────
     Summary [   0.062s] 9 tests run: 6 passed, 3 failed
        FAIL [   0.012s] (3/9) thread::it world::seeds
";
        assert_eq!(failing_tests(said).to_string(), "`told::again` and 2 more");
        let said = "   Compiling thread v0.0.0 [x]\n FAIL [   0.012s] (1/1) thread::it told::typed";
        assert_eq!(failing_tests(said).to_string(), "`told::typed`");
    }
}
