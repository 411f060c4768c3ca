use std::fs;

use crate::lab::Lab;

/// The same code as for whoever needs the models and finds none.
#[test]
fn what_no_source_has_cannot_be_fetched() {
    let lab = Lab::new();
    let mirror = lab.repo().join("mirror");
    fs::create_dir(&mirror).unwrap();
    let ran = lab.run(&["models", "fetch", "vad", "--from", mirror.to_str().unwrap()]);
    assert_eq!(ran.code, Some(3), "{}", ran.err);
    for words in ["mirror", "duet models fetch --from DIR"] {
        assert!(ran.err.contains(words), "{words:?} is not in:\n{}", ran.err);
    }
}
