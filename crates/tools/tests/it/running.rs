//! Tools that run programs.

use protocol::{CommandItem, ItemStatus};

use super::*;

fn command(item: &ItemBody) -> &CommandItem {
    match item {
        ItemBody::Command(item) => item,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_script_runs_in_the_workspace() {
    let directory = directory(&[("a.txt", "hello\n")]);
    let context = context(directory.path(), Style::Full);
    let toolbox = toolbox();
    let running = toolbox.start(&call("shell", r#"{"command":"cat a.txt; echo x > b"}"#), &context);
    assert_eq!(command(running.item()).status, ItemStatus::InProgress);
    let (deltas, outcome) = finish(running).await;
    assert_eq!(deltas, "hello\n");
    assert_eq!(without_seconds(&outcome.output), "Exit code 0.\nhello");
    let item = command(&outcome.item);
    assert_eq!((item.status, item.exit_code), (ItemStatus::Completed, Some(0)));
    assert_eq!((item.output.as_str(), item.command.as_str()), ("hello\n", "cat a.txt; echo x > b"));
    assert_eq!(item.cwd, directory.path().canonicalize().unwrap());
    assert!(directory.path().join("b").exists());
}

#[tokio::test]
async fn variables_that_the_config_names_stay_behind() {
    assert!(std::env::var_os("CARGO_PKG_NAME").is_some(), "run me by cargo");
    let directory = directory(&[]);
    let context = context(directory.path(), Style::Full);
    let script = r#"{"command":"echo \"[$CARGO_PKG_NAME]\"; env | grep -c ^PATH="}"#;
    let told = told(&context, "shell", script).await;
    assert_eq!(without_seconds(&told), "Exit code 0.\n[]\n1");
}

#[tokio::test]
async fn a_failure_is_an_answer() {
    let directory = directory(&[]);
    let context = context(directory.path(), Style::Full);
    let (_, outcome) =
        finish(toolbox().start(&call("shell", r#"{"command":"echo no >&2; exit 3"}"#), &context))
            .await;
    assert_eq!(without_seconds(&outcome.output), "Exit code 3.\nno");
    assert_eq!(command(&outcome.item).status, ItemStatus::Failed);
    let slow = r#"{"command":"echo begun; sleep 100","timeout_seconds":1}"#;
    let (_, outcome) = finish(toolbox().start(&call("shell", slow), &context)).await;
    let why = "`shell` was stopped after its time limit of 1 s: give a longer `timeout_seconds`, \
               at most 600.";
    assert_eq!(without_seconds(&outcome.output), format!("{why}\nbegun"));
    let item = command(&outcome.item);
    assert_eq!((item.status, item.exit_code), (ItemStatus::Failed, None));
    assert_eq!(item.output, format!("begun\n{why}"));
}

/// A signal is an end as well, and has the code that shells give it.
#[tokio::test]
async fn a_command_that_a_signal_ends_has_a_code() {
    let directory = directory(&[]);
    let context = context(directory.path(), Style::Full);
    let script = r#"{"command":"kill -SEGV $$"}"#;
    let (_, outcome) = finish(toolbox().start(&call("shell", script), &context)).await;
    assert_eq!(
        without_seconds(&outcome.output),
        "It was ended by signal 11.\nThere was no output."
    );
    let item = command(&outcome.item);
    assert_eq!((item.status, item.exit_code), (ItemStatus::Failed, Some(139)));
}

#[tokio::test]
async fn tests_that_take_too_long_are_told_with_the_key_that_gives_them_more() {
    let makefile = "test:\n\t@echo begun; sleep 1000\n";
    let repository = repository(&[("Makefile", makefile)]);
    let mut context = context(repository.path(), Style::Full);
    context.test_time = Duration::from_secs(1);
    let (_, outcome) = finish(toolbox().start(&call("run_tests", ""), &context)).await;
    let why = "`run_tests` was stopped after its time limit of 1 s: set `tools.test_timeout_sec` \
               in config.toml to more.";
    // What make says as it goes is make's.
    let told = format!("Ran `make test`. {why}\nbegun");
    assert!(outcome.output.starts_with(&told), "{}", outcome.output);
    assert_eq!(command(&outcome.item).exit_code, None);
}

#[tokio::test]
async fn the_model_is_told_about_the_sandbox() {
    let directory = directory(&[]);
    // Temporary too, but not one of the directories that commands may use.
    let outside = tempfile::tempdir_in("/var/tmp").unwrap();
    let context = context(directory.path(), Style::Full);
    let script = format!("echo x > {}/x", outside.path().display());
    let arguments = serde_json::json!({ "command": script }).to_string();
    let told = told(&context, "shell", &arguments).await;
    assert!(told.contains("Permission denied"), "{told}");
    let root = directory.path().canonicalize().unwrap();
    let hint =
        format!("Commands run in a sandbox: files can be changed only below {}", root.display());
    assert!(told.contains(&hint) && told.contains("there is no network"), "{told}");
    assert!(!outside.path().join("x").exists());
}

#[tokio::test]
async fn a_read_only_policy_leaves_a_private_directory() {
    let directory = directory(&[("a", "")]);
    let mut context = context(directory.path(), Style::Full);
    context.sandbox.mode = SandboxMode::ReadOnly;
    let script = r#"{"command":"echo x > $TMPDIR/x && echo scrap; echo x > a || echo denied; echo $TMPDIR"}"#;
    let (_, outcome) = finish(toolbox().start(&call("shell", script), &context)).await;
    let output = &command(&outcome.item).output;
    assert!(output.starts_with("scrap\n") && output.contains("denied\n"), "{output}");
    let private = output.lines().last().unwrap();
    assert!(!Path::new(private).exists(), "{private} is left behind");
}

#[tokio::test]
async fn a_stop_keeps_what_was_said() {
    let directory = directory(&[]);
    let context = context(directory.path(), Style::Full);
    let mut running =
        toolbox().start(&call("shell", r#"{"command":"echo begun; sleep 1000"}"#), &context);
    assert_eq!(running.next().await, Some(ToolEvent::Output("begun\n".to_owned())));
    running.stop();
    let (_, outcome) = finish(running).await;
    assert_eq!(without_seconds(&outcome.output), "It was stopped by the user.\nbegun");
    assert_eq!(command(&outcome.item).status, ItemStatus::Failed);
}

const RUST: &[(&str, &str)] = &[
    ("Cargo.toml", "[package]\nname = \"csvline\"\nversion = \"0.1.0\"\nedition = \"2021\"\n"),
    (".gitignore", "target\n"),
    (
        "src/lib.rs",
        "/// The fields of a line.
pub fn fields(line: &str) -> Vec<&str> {
    line.split(',').collect()
}

/// How many fields a line has.
pub fn field_count(line: &str) -> usize {
    fields(line).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_commas() {
        assert_eq!(fields(\"a,b\"), [\"a\", \"b\"]);
    }

    #[test]
    fn an_empty_line_has_no_fields() {
        assert_eq!(field_count(\"\"), 0);
    }
}
",
    ),
];

#[tokio::test]
async fn rust_tests_are_told_with_the_code() {
    let repository = repository(RUST);
    let context = context(repository.path(), Style::Typed);
    let (deltas, outcome) = finish(toolbox().start(&call("run_tests", ""), &context)).await;
    assert_eq!(
        outcome.output,
        "1 of 2 tests failed: an_empty_line_has_no_fields.
Failing tests::an_empty_line_has_no_fields (src/lib.rs line 22): assertion `left == right` failed, left: 1, right: 0
21:     fn an_empty_line_has_no_fields() {
22:         assert_eq!(field_count(\"\"), 0);  <-- here
23:     }
field_count is in src/lib.rs:
7: pub fn field_count(line: &str) -> usize {
8:     fields(line).len()
9: }
fields is in src/lib.rs:
2: pub fn fields(line: &str) -> Vec<&str> {
3:     line.split(',').collect()
4: }"
    );
    let item = command(&outcome.item);
    assert_eq!(item.command, "cargo test --no-fail-fast");
    assert_eq!((item.status, item.exit_code), (ItemStatus::Failed, Some(101)));
    assert!(deltas.contains("running 2 tests") && item.output == deltas);
    put(repository.path(), "src/lib.rs", "fn x() -> u32 {\n    \"\"\n}\n");
    assert_eq!(
        told(&context, "run_tests", "").await,
        "No test ran: the project is broken.
Error (src/lib.rs line 2): error[E0308]: mismatched types, expected `u32`, found `&str`
1: fn x() -> u32 {
2:     \"\"  <-- here
3: }"
    );
    put(repository.path(), "src/lib.rs", "#[test]\nfn one() {}\n");
    assert_eq!(told(&context, "run_tests", "").await, "The only test passed.");
}

#[tokio::test]
async fn nothing_need_be_writable_to_test() {
    let repository = repository(RUST);
    let mut context = context(repository.path(), Style::Typed);
    context.sandbox.mode = SandboxMode::ReadOnly;
    let told = told(&context, "run_tests", "").await;
    // The lock file is not in the repository, and may not be made.
    assert!(
        told.contains("Cargo.lock")
            || told.starts_with("1 of 2 tests failed: an_empty_line_has_no_fields.\n"),
        "{told}"
    );
    assert!(!repository.path().join("target").exists());
}

#[tokio::test]
async fn python_tests_are_told_with_the_code() {
    let repository = repository(&[
        ("calc.py", "def add(a, b):\n    return a - b\n"),
        (
            "tests/test_calc.py",
            "import unittest
from calc import add


class TestAdd(unittest.TestCase):
    def test_add(self):
        self.assertEqual(add(1, 2), 3)

    def test_zero(self):
        self.assertEqual(add(0, 0), 0)
",
        ),
    ]);
    let context = context(repository.path(), Style::Typed);
    assert_eq!(
        told(&context, "run_tests", "").await,
        "1 of 2 tests failed: test_add.
Failing test_calc.TestAdd.test_add (tests/test_calc.py line 7): AssertionError: -1 != 3
6:     def test_add(self):
7:         self.assertEqual(add(1, 2), 3)  <-- here
add is in calc.py:
1: def add(a, b):
2:     return a - b
So the mistake may be in calc.py."
    );
}

#[tokio::test]
async fn javascript_tests_are_told_with_the_code() {
    let repository = repository(&[
        ("package.json", r#"{"name":"x","version":"1.0.0","scripts":{"test":"node --test"}}"#),
        ("sum.js", "exports.sum = (a, b) => a - b;\n"),
        (
            "sum.test.js",
            "const test = require('node:test');
const assert = require('node:assert');
const { sum } = require('./sum.js');

test('adds numbers', () => {
  assert.strictEqual(sum(1, 2), 3);
});
",
        ),
    ]);
    let context = context(repository.path(), Style::Typed);
    let told = told(&context, "run_tests", "").await;
    let expect = "1 of 1 tests failed: adds numbers.
Failing adds numbers (sum.test.js line 6): ";
    assert!(told.starts_with(expect), "{told}");
    assert!(told.contains("-1 !== 3"), "{told}");
    assert!(told.contains("6:   assert.strictEqual(sum(1, 2), 3);  <-- here"), "{told}");
    assert!(told.contains("sum is in sum.js:\n1: exports.sum = (a, b) => a - b;"), "{told}");
}

#[tokio::test]
async fn a_missing_runner_gives_way_to_the_next() {
    let repository = repository(&[(
        "test_x.py",
        "import unittest\n\nclass A(unittest.TestCase):\n    def test_x(self):\n        pass\n",
    )]);
    let mut context = context(repository.path(), Style::Typed);
    let mut facts = (*context.facts).clone();
    facts.test_commands[0].argv = vec!["no-such-runner".into()];
    facts.test_commands[1].argv = vec!["python3".into(), "-m".into(), "unittest".into()];
    context.facts = Arc::new(facts);
    let (_, outcome) = finish(toolbox().start(&call("run_tests", ""), &context)).await;
    assert_eq!(outcome.output, "The only test passed.");
    assert_eq!(command(&outcome.item).command, "python3 -m unittest");
}

#[tokio::test]
async fn unknown_output_is_shown_itself() {
    let repository = repository(&[("Makefile", "test:\n\t@echo all good\n")]);
    let context = context(repository.path(), Style::Typed);
    assert_eq!(told(&context, "run_tests", "").await, "Ran `make test`. Exit code 0.\nall good");
}

/// The runner's own words are not all of the run.
#[tokio::test]
async fn a_failed_run_is_no_success_whatever_passed() {
    let passed = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
    let makefile = |then: &str| {
        format!("test:\n\t@echo 'running 3 tests'; echo '{passed}'; echo worse; {then}\n")
    };
    for (then, how) in [
        ("exit 3", "(exit code 2)."),
        // As a test binary that aborts under cargo.
        ("kill -9 $$PPID", "(signal 9)."),
    ] {
        let repository = repository(&[("Makefile", &makefile(then))]);
        for style in [Style::Typed, Style::Full] {
            let told = told(&context(repository.path(), style), "run_tests", "").await;
            let first = format!("Ran `make test`. 3 passed, but the run failed {how}\n");
            assert!(told.starts_with(&first), "{told}");
            assert!(told.contains("worse"), "{told}");
        }
    }
    let repository = repository(&[("Makefile", &makefile("exit 0"))]);
    let told = told(&context(repository.path(), Style::Typed), "run_tests", "").await;
    assert_eq!(told, "All 3 tests passed.");
}

#[tokio::test]
async fn a_filter_is_passed_on() {
    let repository = repository(RUST);
    let context = context(repository.path(), Style::Full);
    let told = told(&context, "run_tests", r#"{"filter":"splits"}"#).await;
    let first = "Ran `cargo test --no-fail-fast splits`. The only test passed.";
    assert!(told.starts_with(first), "{told}");
}

#[tokio::test]
async fn a_runner_that_is_not_installed_is_named() {
    let repository = repository(&[("test_x.py", "def test_x():\n    pass\n")]);
    let mut context = context(repository.path(), Style::Typed);
    let mut facts = (*context.facts).clone();
    // Isolated from every installed package.
    facts.test_commands[0].argv = ["python3", "-I", "-S", "-m", "pytest"].map(Into::into).to_vec();
    context.facts = Arc::new(facts);
    assert_eq!(
        told(&context, "run_tests", "").await,
        "No test was run: the tests need pytest, which is not installed here."
    );
}

#[tokio::test]
async fn process_pools_work_in_the_sandbox() {
    let directory = directory(&[(
        "pool.py",
        "import multiprocessing, tempfile
with multiprocessing.Pool(2) as pool:
    print(pool.map(len, ['a', 'bb']))
with tempfile.TemporaryFile() as file:
    print(file.write(b'x'))
",
    )]);
    let context = context(directory.path(), Style::Full);
    let told = told(&context, "shell", r#"{"command":"python3 pool.py"}"#).await;
    assert_eq!(without_seconds(&told), "Exit code 0.\n[1, 2]\n1");
}

/// Runs the rest of its arguments where the kernel has no Landlock: `landlock_create_ruleset` has
/// the number 444 on every architecture.
const WITHOUT_LANDLOCK: &str = r#"
import ctypes, os, struct, sys
def op(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)
# Load the number; landlock_create_ruleset and, for bubblewrap, mount are "not implemented", the rest goes on.
mount = {"x86_64": 165, "aarch64": 40}[os.uname().machine]
program = op(0x20, 0, 0, 0) + op(0x15, 1, 0, 444) + op(0x15, 0, 1, mount)
program += op(0x06, 0, 0, 0x50000 | 38) + op(0x06, 0, 0, 0x7fff0000)
filters = ctypes.create_string_buffer(program, len(program))
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filters", ctypes.c_void_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(5, ctypes.addressof(filters)))) == 0
os.execv(sys.argv[1], sys.argv[1:])
"#;

#[test]
fn without_a_sandbox_no_program_runs() {
    let output = Command::new("python3")
        .args(["-c", WITHOUT_LANDLOCK])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "running::without_a_sandbox", "--nocapture"])
        .env("WITHOUT_A_SANDBOX", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("every program was refused"), "{said}");
}

#[tokio::test]
async fn without_a_sandbox() {
    if std::env::var_os("WITHOUT_A_SANDBOX").is_none() {
        return;
    }
    let why = "no sandbox can be had, so the command was not started: this kernel has no landlock";
    let repository = repository(&[("Makefile", "test:\n\ttrue\n")]);
    let context = context(repository.path(), Style::Typed);
    for name in ["git_log", "git_diff", "git_status", "last_commit"] {
        let told = told(&context, name, "").await;
        assert!(told.starts_with(&format!("git was not run: {why}")), "{name}: {told}");
    }
    for (name, arguments) in [("shell", r#"{"command":"true"}"#), ("run_tests", "")] {
        let told = told(&context, name, arguments).await;
        assert!(told.contains(why), "{name}: {told}");
    }
    println!("every program was refused");
}
