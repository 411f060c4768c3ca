use std::fs;

use crate::lab::{Lab, Ran};

/// No directory, so no models can be kept there, and nothing is fetched.
const NO_PLACE: &str = "notes.txt/models";

#[test]
fn without_models_the_verdict_says_so() {
    let lab = Lab::new();
    let place = lab.repo().join(NO_PLACE);
    let ran = Ran::of(lab.duet().arg("demo").env("DUET_MODELS", &place));
    ran.expect(3, "demo FAILED: there is nothing to judge, for the reason below\n");
    assert!(ran.err.lines().last().unwrap().starts_with("duet: "), "{}", ran.err);
}

/// What the user has written for their own work decides nothing in the demo, not even by being
/// wrong.
#[test]
fn the_users_documents_do_not_count() {
    let lab = Lab::new();
    lab.config("sandbox_mode = \"castle\"\n");
    let place = lab.repo().join(NO_PLACE);
    let ran = Ran::of(lab.duet().arg("demo").env("DUET_MODELS", &place));
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    assert!(!ran.err.contains("castle"), "{}", ran.err);
    assert!(!fs::exists(lab.repo().join("answer.wav")).unwrap());
}
