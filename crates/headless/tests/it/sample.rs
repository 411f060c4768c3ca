use std::process::Command;

use headless::Sample;

/// The demo's own claim, checked by the compiler.
#[test]
fn one_test_fails_and_the_others_pass() {
    let dir = tempfile::tempdir().unwrap();
    let sample = Sample::create(dir.path()).unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["test", "--offline", "--quiet", "--", "--format=pretty"])
        .current_dir(&sample.dir)
        .env_remove("CARGO_TARGET_DIR")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(101), "{text}");
    assert!(text.contains(&format!("{} ... FAILED", sample.failing_test)), "{text}");
    assert!(text.contains("5 passed; 1 failed"), "{text}");

    let log =
        Command::new("git").args(["log", "--format=%s"]).current_dir(&sample.dir).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&log.stdout), "settings: one setting per line\n");
}
