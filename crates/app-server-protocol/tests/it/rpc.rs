use app_server_protocol::{Calls, Empty, ErrorObject, Message, code};

/// How a message reads back, in one line.
fn shown(text: &str) -> String {
    match Message::parse(text) {
        Ok(Message::Request { id, method, params }) => {
            let params = params.map_or("none".to_owned(), |params| params.get().to_owned());
            format!("request {} {method} {params}", id.as_json())
        }
        Ok(Message::Notification { method, params }) => {
            format!("notification {method} {}", params.map_or("none".into(), |p| p.to_string()))
        }
        Ok(Message::Answer { id, result: Ok(result) }) => {
            format!("result {} {}", id.as_json(), result.get())
        }
        Ok(Message::Answer { id, result: Err(error) }) => {
            format!("error {} {} {}", id.as_json(), error.code, error.message)
        }
        Err(malformed) => {
            let id = malformed.id.map_or("null".to_owned(), |id| id.as_json().to_owned());
            format!("malformed {id} {}", malformed.error.code)
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shown(text), expected, "of {text}");
}

#[test]
fn each_kind_of_message_is_told_apart() {
    check(r#"{"id":1,"method":"a/b","params":{"x":1}}"#, r#"request 1 a/b {"x":1}"#);
    check(r#"{"method":"initialized"}"#, "notification initialized none");
    check(r#"{"id":1,"result":{}}"#, "result 1 {}");
    check(r#"{"id":1,"result":null}"#, "result 1 null");
    check(r#"{"id":1,"error":{"code":-32601,"message":"no"}}"#, "error 1 -32601 no");
}

#[test]
fn ids_keep_their_bytes() {
    check(r#"{"id":"startup-1","method":"m"}"#, r#"request "startup-1" m none"#);
    check(r#"{"id":"A","method":"m"}"#, r#"request "A" m none"#);
    check(r#"{"id":-7,"method":"m"}"#, "request -7 m none");
    check(r#"{"id":9223372036854775807,"method":"m"}"#, "request 9223372036854775807 m none");
}

#[test]
fn the_version_member_and_unknown_members_are_accepted() {
    check(r#"{"jsonrpc":"2.0","id":1,"method":"m","trace":{}}"#, "request 1 m none");
    check(r#"{"id":1,"method":"m","params":null}"#, "request 1 m none");
}

#[test]
fn what_is_no_message_is_answered() {
    check("{bad", "malformed null -32700");
    check("", "malformed null -32700");
    check("[]", "malformed null -32600");
    check(r#"[{"id":1,"method":"m"}]"#, "malformed null -32600");
    check("17", "malformed null -32600");
    check(r#"{"id":null,"method":"m"}"#, "malformed null -32600");
    check(r#"{"id":1.5,"method":"m"}"#, "malformed null -32600");
    check(r#"{"id":{"a":1},"method":"m"}"#, "malformed null -32600");
    check(r#"{"id":1}"#, "malformed 1 -32600");
    check(r#"{"id":"x","method":"m","result":1}"#, r#"malformed "x" -32600"#);
    check(r#"{"result":1}"#, "malformed null -32600");
}

#[test]
fn our_messages_are_single_lines_without_a_version() {
    let mut calls = Calls::new();
    let id = calls.open("asker");
    assert_eq!(
        Message::request(&id, "m", &Empty {}),
        "{\"id\":0,\"method\":\"m\",\"params\":{}}\n"
    );
    assert_eq!(Message::result(&id, &"a\nb"), "{\"id\":0,\"result\":\"a\\nb\"}\n");
    assert_eq!(Message::notification("n", &Empty {}), "{\"method\":\"n\",\"params\":{}}\n");
    assert_eq!(
        Message::error(None, &ErrorObject::new(code::PARSE_ERROR, "not JSON")),
        "{\"error\":{\"code\":-32700,\"message\":\"not JSON\"},\"id\":null}\n"
    );
}

#[test]
fn an_answer_belongs_to_one_request() {
    let mut calls = Calls::new();
    let first = calls.open("first");
    let second = calls.open("second");
    assert_eq!(calls.close(&second), Some("second"));
    assert_eq!(calls.close(&second), None);
    assert_eq!(calls.close(&first), Some("first"));
    calls.open("third");
    assert_eq!(calls.drain().collect::<Vec<_>>(), ["third"]);
}
