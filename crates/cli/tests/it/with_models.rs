//! The demo with real weights: where it passes is known from CI's last step, which is the demo.

use std::process::Command;

use crate::lab::{Lab, Ran};

/// The whole path, up to a verdict that is told by the exit code too. The models, and the host
/// that runs them, are those of whoever runs the tests.
#[test]
fn without_a_sandbox_the_demo_has_done_nothing() {
    let lab = Lab::new();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_duet"));
    demo.arg("demo").env("DUET_HOME", lab.home()).current_dir(lab.repo());
    let ran = Ran::without_sandbox(&mut demo);
    let verdict = "demo FAILED: everything the agent wanted to do was refused, for the reason \
                   above; without a sandbox nothing is run";
    assert_eq!(ran.code, Some(3), "{}\n{}", ran.out, ran.err);
    assert_eq!(ran.out.lines().last(), Some(verdict));
    for words in ["no sandbox can be had here", "--sandbox danger-full-access"] {
        assert!(ran.err.contains(words), "{words:?} is not in:\n{}", ran.err);
    }
    let place = lab.repo().canonicalize().unwrap().join("answer.wav");
    let said = format!("the spoken answer is in {}\n", place.display());
    assert!(ran.err.contains(&said), "{}", ran.err);
    // A session that nobody can go on with is nobody's.
    assert_eq!(lab.run(&["sessions"]).out, "");
    // What it says of the refusal is spoken all the same.
    assert!(lab.repo().join("answer.wav").is_file());
}
