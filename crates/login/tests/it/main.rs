//! All integration tests of this crate; one binary.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use config::{Endpoint, Environment, KeySource, Secret};
use login::{credential, headers};

fn endpoint(key: KeySource) -> Endpoint {
    Endpoint {
        base_url: "https://models.example/v1".into(),
        key,
        query: Vec::new(),
        headers: vec![("x-team".into(), Secret::new("blue"))],
        env_headers: vec![("x-set".into(), "SET".into()), ("x-unset".into(), "UNSET".into())],
        idle: Duration::from_secs(1),
    }
}

fn variable(hint: Option<&str>) -> KeySource {
    KeySource::Variable { name: "ACME_KEY".into(), hint: hint.map(Into::into) }
}

#[test]
fn a_key_comes_from_its_variable_or_the_file() {
    let environment = Environment::from_iter([("ACME_KEY", " sk-1\n"), ("SET", "red")]);
    for source in [variable(None), KeySource::Token(Secret::new("sk-1"))] {
        let headers = headers("Acme", &endpoint(source), &environment).unwrap();
        let mut expected = transport::Headers::new();
        expected.insert("x-team", "blue").unwrap();
        expected.insert("x-set", "red").unwrap();
        expected.insert("authorization", "Bearer sk-1").unwrap();
        assert_eq!(headers, expected);
    }
    assert_eq!(credential("Acme", &KeySource::None, &environment).unwrap(), None);
}

#[test]
fn a_missing_key_names_its_variable() {
    let check = |source: &KeySource, environment: Environment, expected: &str| {
        let error = credential("Acme", source, &environment).unwrap_err();
        assert_eq!(error.to_string(), expected);
    };
    let expected = "Acme needs a key: set the environment variable ACME_KEY";
    check(&variable(None), Environment::default(), expected);
    check(&variable(None), Environment::from_iter([("ACME_KEY", "  ")]), expected);
    let expected = "Acme needs a key: set the environment variable ACME_KEY (ask Bob)";
    check(&variable(Some("ask Bob")), Environment::default(), expected);
}

#[test]
fn nothing_prints_a_key() {
    let environment = Environment::from_iter([("ACME_KEY", "sk-secret"), ("SET", "sk-secret")]);
    let endpoint = endpoint(variable(None));
    let credential = credential("Acme", &endpoint.key, &environment).unwrap();
    let headers = headers("Acme", &endpoint, &environment).unwrap();
    let broken = Environment::from_iter([("ACME_KEY", "sk-sec\nret")]);
    let error = login::headers("Acme", &endpoint, &broken).unwrap_err();
    let printed = format!("{credential:?} {headers:?} {environment:?} {error} {error:?}");
    assert!(!printed.contains("sk-sec"), "{printed}");
    assert!(error.to_string().contains("ACME_KEY"), "{error}");
}
