//! URLs and headers of the upgrade.

use protocol::RealtimeVersion::{self, V1, V2};
use realtime_wire::client::{AddressError, Endpoint, handshake};

fn endpoint(base_url: &str, version: RealtimeVersion) -> Endpoint<'_> {
    Endpoint {
        base_url,
        version,
        model: None,
        query: &[],
        session_id: None,
        api_key: None,
        headers: &[],
        default_headers: &[],
    }
}

#[track_caller]
fn check(base: &str, version: RealtimeVersion, model: Option<&str>, expected: &str) {
    let endpoint = Endpoint { model, ..endpoint(base, version) };
    assert_eq!(handshake(&endpoint).unwrap().url, expected);
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_path_is_completed() {
    let v2 = |base, expected| check(base, V2, Some("m"), expected);
    v2("https://api.openai.com/v1", "wss://api.openai.com/v1/realtime?model=m");
    v2("http://h", "ws://h/v1/realtime?model=m");
    v2("WS://h/", "ws://h/v1/realtime?model=m");
    v2("wss://h:8/v1/", "wss://h:8/v1/realtime?model=m");
    v2("wss://h/api/realtime", "wss://h/api/realtime?model=m");
    v2("wss://h/api/realtime/", "wss://h/api/realtime?model=m");
    v2("wss://h/custom", "wss://h/custom?model=m");
    check("http://127.0.0.1:4000", V1, None, "ws://127.0.0.1:4000/v1/realtime?intent=quicksilver");
    check(
        "https://h/v1",
        V1,
        Some("snapshot"),
        "wss://h/v1/realtime?intent=quicksilver&model=snapshot",
    );
    check("https://h/v1", V2, None, "wss://h/v1/realtime");
}

#[test]
fn the_query_keeps_its_order() {
    let query = pairs(&[("trace", "1"), ("intent", "x"), ("model", "other")]);
    let v1 = Endpoint {
        model: Some("snapshot"),
        query: &query,
        ..endpoint("https://h/v1/realtime?foo=bar", V1)
    };
    assert_eq!(
        handshake(&v1).unwrap().url,
        "wss://h/v1/realtime?foo=bar&intent=quicksilver&model=snapshot&trace=1"
    );
    let without_model = Endpoint { query: &query, ..endpoint("https://h/v1", V2) };
    assert_eq!(handshake(&without_model).unwrap().url, "wss://h/v1/realtime?trace=1&model=other");
    check("https://h", V2, Some("a b/ü"), "wss://h/v1/realtime?model=a+b%2F%C3%BC");
}

#[test]
fn other_addresses_are_refused() {
    let refused = |base| handshake(&endpoint(base, V2)).unwrap_err().to_string();
    assert_eq!(refused("ftp://h/v1"), "unsupported realtime api_url scheme: ftp");
    for base in ["", "h/v1", "https://", "https://a b/", "https://h/a b"] {
        assert!(refused(base).contains("is no URL"), "{base}");
    }
}

#[test]
fn headers_are_merged_by_precedence() {
    let headers = pairs(&[("X-Session-Id", "provider"), ("X-Extra", "provider")]);
    let defaults = pairs(&[("originator", "duet"), ("x-extra", "default")]);
    let endpoint = Endpoint {
        session_id: Some("conv_1"),
        api_key: Some("secret"),
        headers: &headers,
        default_headers: &defaults,
        ..endpoint("https://h", V2)
    };
    let handshake = handshake(&endpoint).unwrap();
    assert_eq!(
        handshake.headers,
        pairs(&[
            ("x-session-id", "conv_1"),
            ("authorization", "Bearer secret"),
            ("x-extra", "provider"),
            ("originator", "duet"),
        ])
    );
    assert!(!format!("{handshake:?} {endpoint:?}").contains("secret"));
}

#[test]
fn a_header_that_cannot_be_sent_is_named_and_not_shown() {
    let id = Endpoint { session_id: Some("a\nb"), ..endpoint("https://h", V2) };
    assert_eq!(handshake(&id), Err(AddressError::Header { name: "x-session-id".into() }));
    let key = Endpoint { api_key: Some("ключ"), ..endpoint("https://h", V2) };
    let error = handshake(&key).unwrap_err().to_string();
    assert!(error.starts_with("invalid realtime api key header:") && !error.contains("ключ"));
}
