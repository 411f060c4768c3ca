//! Each failure as the sentence that a person reads, and what the turn does about it.

use std::time::Duration;

use config::{KeySource, Secret};
use protocol::{ModelError, ModelErrorKind, ModelEvent, Reasoning};
use serde_json::{Value, json};
use testkit::{ModelReply, ModelScript, sse};

use crate::{PATIENCE, acme, acme_with, client, drain, request};

const KEY: &[(&str, &str)] = &[("ACME_KEY", "sk-secret")];
const PASSING: ModelErrorKind = ModelErrorKind::Transient { after: None };

async fn fail(reply: ModelReply) -> (Vec<ModelEvent>, ModelError) {
    let server = ModelScript::start([reply]);
    let stream = client(KEY).stream(
        &acme(&server.base_url()),
        "gpt-x",
        Reasoning::default(),
        request("hello"),
    );
    let (events, error) = drain(stream).await;
    server.finish();
    let mut error = error.expect("no error");
    error.message = error.message.replace(&server_address(&error.message), "SERVER");
    (events, error)
}

/// `127.0.0.1:PORT`, if the message has it.
fn server_address(message: &str) -> String {
    let Some(start) = message.find("127.0.0.1:") else { return "SERVER".into() };
    let rest = &message[start..];
    let port = &rest["127.0.0.1:".len()..];
    let end = port.find(|it: char| !it.is_ascii_digit()).unwrap_or(port.len());
    rest[.."127.0.0.1:".len() + end].to_owned()
}

#[track_caller]
fn check(actual: &ModelError, kind: ModelErrorKind, message: &str) {
    assert_eq!(actual.message, message);
    assert_eq!(actual.kind, kind);
}

fn refusal(status: u16, code: &str, message: &str) -> ModelReply {
    let error = json!({ "type": "x", "code": code, "param": null, "message": message });
    ModelReply::error(status, json!({ "error": error }))
}

#[tokio::test]
async fn a_refused_key_names_its_variable() {
    let (_, error) = fail(refusal(401, "invalid_api_key", "Incorrect API key.")).await;
    let message = "Acme refused the key: check the environment variable ACME_KEY (it says: \
                   Incorrect API key.)";
    check(&error, ModelErrorKind::Unauthorized, message);

    let told = async |key: KeySource| {
        let server = ModelScript::start([ModelReply::error(401, Value::Null)]);
        let provider = acme_with(&server.base_url(), key, PATIENCE);
        drain(client(KEY).stream(&provider, "m", Reasoning::default(), request("x")))
            .await
            .1
            .unwrap()
            .message
    };
    let message = told(KeySource::Token(Secret::new("sk-secret"))).await;
    let expected = "check `model_providers.acme.experimental_bearer_token`";
    assert!(message.contains(expected) && !message.contains("sk-secret"), "{message}");
    let message = told(KeySource::None).await;
    assert!(message.contains("asks for a key"), "{message}");
    assert!(message.contains("`model_providers.acme.env_key`"), "{message}");
}

#[tokio::test]
async fn a_missing_key_is_known_before_anything_is_sent() {
    let server = ModelScript::start([]);
    let stream =
        client(&[]).stream(&acme(&server.base_url()), "m", Reasoning::default(), request("hello"));
    let error = drain(stream).await.1.unwrap();
    let message = "Acme needs a key: set the environment variable ACME_KEY";
    check(&error, ModelErrorKind::Unauthorized, message);
    server.finish();
}

#[tokio::test]
async fn an_unknown_model() {
    let (_, error) = fail(refusal(404, "model_not_found", "No such model.")).await;
    let message = "Acme has no model `gpt-x`: set `model` to one that it has (it says: No such \
                   model.)";
    check(&error, ModelErrorKind::Rejected, message);
}

#[tokio::test]
async fn nothing_there() {
    let (_, error) = fail(ModelReply::error(404, json!("404 page not found"))).await;
    let message = "Acme has no Responses API at http://SERVER/v1/responses: check \
                   `model_providers.acme.base_url`, which usually ends in /v1 (it says: 404 page \
                   not found)";
    check(&error, ModelErrorKind::Rejected, message);
}

#[tokio::test]
async fn nobody_there() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let provider = acme(&format!("http://{free}/v1"));
    let error = drain(client(KEY).stream(&provider, "m", Reasoning::default(), request("x")))
        .await
        .1
        .unwrap();
    assert_eq!(error.kind, PASSING);
    let expected = format!("cannot reach Acme at http://{free}/v1/responses (");
    assert!(error.message.starts_with(&expected), "{}", error.message);
    let remedy = "check that it runs, the network, and `model_providers.acme.base_url`";
    assert!(error.message.ends_with(remedy), "{}", error.message);
}

#[tokio::test]
async fn an_unusable_address() {
    let error =
        drain(client(KEY).stream(&acme("ftp://a/v1"), "m", Reasoning::default(), request("x")))
            .await
            .1
            .unwrap();
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    assert!(error.message.contains("ftp://a/v1"), "{}", error.message);
    assert!(error.message.contains("`model_providers.acme.base_url`"), "{}", error.message);
}

#[tokio::test]
async fn busy_services_say_when_to_come_back() {
    let after = Some(Duration::from_secs(7));
    let busy = refusal(429, "rate_limit_exceeded", "Slow down.").with_header("retry-after", "7");
    let (_, error) = fail(busy).await;
    check(&error, ModelErrorKind::Transient { after }, "Acme is busy (it says: Slow down.)");
    let (_, error) = fail(ModelReply::error(503, json!(""))).await;
    check(&error, PASSING, "Acme failed");
    let (_, error) = fail(refusal(429, "insufficient_quota", "Pay.")).await;
    let message = "the account at Acme has no credit left: add some, or use another provider (it \
                   says: Pay.)";
    check(&error, ModelErrorKind::Rejected, message);
}

#[tokio::test]
async fn a_conversation_that_is_too_long() {
    let (_, error) = fail(refusal(400, "context_length_exceeded", "Too long.")).await;
    let message = "the conversation is too long for the model `gpt-x` of Acme (it says: Too long.)";
    check(&error, ModelErrorKind::TooLong, message);
}

#[tokio::test]
async fn a_reply_that_fails_under_way() {
    let events = [sse::created(), sse::text_delta("One"), sse::failed("server_error", "Oops.")];
    let (events, error) = fail(ModelReply::sse(events)).await;
    assert_eq!(events, [ModelEvent::TextDelta { delta: "One".into() }]);
    check(&error, PASSING, "Acme failed (it says: Oops.)");
}

#[tokio::test]
async fn a_reply_that_is_cut() {
    let events = [sse::created(), sse::text_delta("One"), sse::message("One")];
    let (events, error) = fail(ModelReply::sse(events).cut_after(2)).await;
    assert_eq!(events.len(), 1);
    assert_eq!(error.kind, PASSING);
    assert!(error.message.starts_with("the answer of Acme broke off: "), "{}", error.message);
}

#[tokio::test]
async fn a_reply_that_stops_without_its_end() {
    let (events, error) = fail(ModelReply::sse([sse::created(), sse::message("One")])).await;
    assert_eq!(events.len(), 1);
    check(&error, PASSING, "the answer of Acme stopped before its end");
}

#[tokio::test]
async fn a_reply_that_reaches_a_limit() {
    let (_, error) = fail(ModelReply::sse([sse::incomplete("max_output_tokens")])).await;
    let message = "the model `gpt-x` of Acme stopped at its limit for one answer: ask for less at \
                   once (it says: max_output_tokens)";
    check(&error, ModelErrorKind::Rejected, message);
}

#[tokio::test]
async fn a_reply_in_another_language() {
    let stranger = json!({ "type": "response.output_text.delta" });
    let (_, error) = fail(ModelReply::sse([stranger])).await;
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    let expected = "Acme does not speak the Responses API as we know it (an event \
                    `response.output_text.delta` cannot be read: missing field `delta`";
    assert!(error.message.starts_with(expected), "{}", error.message);
}

#[tokio::test]
async fn silence_names_the_setting() {
    let server = ModelScript::start([ModelReply::hang()]);
    let idle = Duration::from_millis(150);
    let provider = acme_with(&server.base_url(), KeySource::None, idle);
    let error = drain(client(KEY).stream(&provider, "m", Reasoning::default(), request("x")))
        .await
        .1
        .unwrap();
    let message = "Acme sent nothing for 0.15 s: if its model is that slow, raise \
                   `model_providers.acme.stream_idle_timeout_ms`";
    check(&error, PASSING, message);
}
