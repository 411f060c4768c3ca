use std::path::Path;

use config::{Config, Environment, Home};

#[track_caller]
fn check(variables: &[(&str, &str)], expected: &str) {
    let environment = Environment::from_iter(variables.iter().copied());
    assert_eq!(Home::find(&environment).unwrap().path(), Path::new(expected));
}

#[test]
fn ours_then_the_references_then_the_users() {
    check(&[("DUET_HOME", "/d"), ("CODEX_HOME", "/c"), ("HOME", "/h")], "/d");
    check(&[("CODEX_HOME", "/c"), ("HOME", "/h")], "/c");
    check(&[("DUET_HOME", ""), ("HOME", "/h")], "/h/.duet");
}

#[test]
fn without_any_there_is_a_remedy() {
    let error = Home::find(&Environment::default()).unwrap_err();
    assert_eq!(error.to_string(), "no home directory: set DUET_HOME or HOME");
}

#[test]
fn a_relative_home_is_made_absolute() {
    assert!(Home::at("here").path().is_absolute());
    assert!(Home::at("here").config_file().ends_with("here/config.toml"));
    assert!(Home::at("here").sessions().ends_with("here/sessions"));
}

#[test]
fn documents_can_be_left_unread() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.toml"), "sandbox_mode = \"castle\"").unwrap();
    let home = Home::at(folder.path());
    assert_eq!(home.documents(), Some(folder.path()));
    assert!(Config::load(&home, &[], &Environment::default()).is_err());

    let home = home.without_documents();
    assert_eq!((home.path(), home.documents()), (folder.path(), None));
    let config = Config::load(&home, &[], &Environment::default()).unwrap();
    assert_eq!(config.agent.sandbox, protocol::SandboxPolicy::default());
}
