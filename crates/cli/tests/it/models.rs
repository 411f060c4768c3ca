use std::fs;
use std::process::Stdio;

use crate::lab::Lab;

#[test]
fn model_files_are_found_verified_and_removed() {
    let lab = Lab::new();
    lab.run(&["models", "verify"]).expect_failure(1, &["duet models fetch"]);
    let dir = lab.run(&["models", "path"]).out;
    assert!(dir.trim().ends_with("models"), "{dir}");
    lab.run(&["models", "path", "agent"]).expect_failure(1, &["duet models fetch agent"]);
    lab.run(&["models", "path", "brain"]).expect_failure(2, &["brain", "duet models list"]);
    lab.run(&["models", "rm"]).expect_failure(2, &["--all"]);

    lab.hollow_voice();
    let vad = lab.run(&["models", "path", "vad"]).out;
    assert!(fs::metadata(vad.trim()).is_ok(), "{vad}");
    let verified = lab.run(&["models", "verify", "vad", "agent"]);
    assert_eq!(verified.code, Some(1));
    let lines: Vec<&str> = verified.out.lines().collect();
    assert!(lines[0].starts_with("vad ") && lines[0].contains("wrong: sha256"), "{lines:?}");
    assert!(lines[1].starts_with("agent ") && lines[1].ends_with("missing"), "{lines:?}");
    let remedy = "to have them whole: duet models rm vad && duet models fetch vad agent\n";
    assert_eq!(verified.err, remedy);
    let listed = lab.run(&["models", "list"]).out;
    assert!(listed.contains("from hub:Qwen/"), "{listed}");

    let removed = lab.run(&["models", "rm", "vad"]);
    assert_eq!(removed.code, Some(0));
    assert!(removed.err.contains("freed"), "{}", removed.err);
    assert!(fs::metadata(vad.trim()).is_err());
    assert!(lab.run(&["models", "rm", "vad"]).err.contains("nothing"), "{}", removed.err);
    // There is nothing to remove.
    let missing = lab.run(&["models", "verify", "vad"]);
    assert_eq!(missing.err, "to have it whole: duet models fetch vad\n");
    assert_eq!(lab.run(&["models", "rm", "--all"]).code, Some(0));
    lab.run(&["models", "verify"]).expect_failure(1, &["no model file is in"]);
}

/// The same code as for whoever needs the models and finds none.
#[test]
fn what_no_source_has_cannot_be_fetched() {
    let lab = Lab::new();
    let mirror = lab.repo().join("mirror");
    fs::create_dir(&mirror).unwrap();
    let ran = lab.run(&["models", "fetch", "vad", "--from", mirror.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(ran.err.contains("in 1 file;"), "{}", ran.err);
    // It is the only one.
    assert!(!ran.err.contains("trying the next source"), "{}", ran.err);
    for words in ["mirror", "duet models fetch --from DIR"] {
        assert!(ran.err.contains(words), "{words:?} is not in:\n{}", ran.err);
    }
}

/// `duet models list | head -1`
#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let lab = Lab::new();
    lab.hollow_voice();
    for args in [&["models", "list"][..], &["models", "path"], &["models", "verify", "vad"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = lab.duet().args(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("cannot write the output: "), "{said}");
    }
}
