use std::time::Duration;

use responses_wire::{Fault, FaultKind};

#[track_caller]
fn check(status: u16, body: &str, kind: FaultKind, message: &str) {
    let fault = Fault::from_status(status, None, body);
    assert_eq!(fault, Fault { kind, message: message.into() });
}

#[test]
fn refusals_of_several_services() {
    let openai = |code: &str, message: &str| {
        format!(r#"{{"error":{{"type":"t","code":"{code}","param":null,"message":"{message}"}}}}"#)
    };
    check(401, &openai("invalid_api_key", "Bad key"), FaultKind::Unauthorized, "Bad key");
    check(429, &openai("insufficient_quota", "Pay"), FaultKind::Quota, "Pay");
    check(429, &openai("x", "Slow"), FaultKind::Busy { after: None }, "Slow");
    check(404, &openai("model_not_found", "No such"), FaultKind::UnknownModel, "No such");
    check(400, &openai("context_length_exceeded", "Long"), FaultKind::ContextTooLong, "Long");
    check(400, &openai("invalid_value", "Bad"), FaultKind::Invalid, "Bad");
    // Ollama.
    let ollama = r#"{"error":{"message":"model 'x' not found","type":"api_error","param":null,"code":null}}"#;
    check(404, ollama, FaultKind::UnknownModel, "model 'x' not found");
    check(
        404,
        r#"{"error":"model 'x' not found"}"#,
        FaultKind::UnknownModel,
        "model 'x' not found",
    );
    // vLLM.
    let vllm = r#"{"error":{"message":"maximum context length is 4096","type":"BadRequestError","param":null,"code":400}}"#;
    check(400, vllm, FaultKind::ContextTooLong, "maximum context length is 4096");
    // llama.cpp.
    let llama = r#"{"error":{"code":400,"message":"too long","type":"exceed_context_size_error"}}"#;
    check(400, llama, FaultKind::ContextTooLong, "too long");
    // A gateway in Python.
    check(401, r#"{"detail":"Unauthorized"}"#, FaultKind::Unauthorized, "Unauthorized");
}

#[test]
fn refusals_that_say_nothing_useful() {
    check(404, "404 page not found\n", FaultKind::NotFound, "404 page not found");
    check(404, "", FaultKind::NotFound, "");
    check(404, "{}", FaultKind::NotFound, "{}");
    check(502, "<html>\n<body>", FaultKind::Broken { after: None }, "<html>");
    check(418, "[1]", FaultKind::Invalid, "[1]");
    check(403, "null", FaultKind::Forbidden, "null");
    let long = "ä".repeat(5000);
    let fault = Fault::from_status(500, None, &long);
    assert_eq!(fault.message, format!("{}...", "ä".repeat(100)));
}

#[test]
fn the_services_wish_is_kept() {
    let after = Some(Duration::from_secs(7));
    let fault = Fault::from_status(503, after, "");
    assert_eq!(fault.kind, FaultKind::Broken { after });
    let body = r#"{"error":{"code":"rate_limit_exceeded","message":"try again in 1s"}}"#;
    assert_eq!(Fault::from_status(429, after, body).kind, FaultKind::Busy { after });
    let wish = Some(Duration::from_secs(1));
    assert_eq!(Fault::from_status(429, None, body).kind, FaultKind::Busy { after: wish });
}

#[test]
fn a_wish_that_is_no_time_is_none() {
    for wish in ["try again in ", "try again in 5 minutes", "try again in ..s", "try again in 1e9s"]
    {
        let body = format!(r#"{{"error":{{"code":"slow_down","message":"{wish}"}}}}"#);
        let fault = Fault::from_status(429, None, &body);
        assert_eq!(fault.kind, FaultKind::Busy { after: None }, "{wish}");
    }
}
