use app_server_protocol::{
    ClientRequest, ErrorObject, RealtimePrompt, RealtimeTransport, Refusal, UserInput,
};
use serde_json::value::RawValue;

fn read(method: &str, params: &str) -> Result<ClientRequest, Refusal> {
    let params = RawValue::from_string(params.to_owned()).unwrap();
    ClientRequest::read(method, Some(&params))
}

#[test]
fn an_unknown_method_is_refused_by_its_name() {
    let error = ErrorObject::from(read("thread/teleport", "{}").unwrap_err());
    assert_eq!((error.code, error.message.as_str()), (-32601, "method not found: thread/teleport"));
}

#[test]
fn bad_parameters_name_the_method_and_the_member() {
    let error = ErrorObject::from(read("turn/start", r#"{"input":[]}"#).unwrap_err());
    assert_eq!(error.code, -32602);
    assert!(
        error.message.starts_with("invalid params of turn/start: missing field `threadId`"),
        "{error}"
    );
}

#[test]
fn absent_parameters_are_the_empty_object() {
    let request = ClientRequest::read("account/read", None).unwrap();
    assert_eq!(request.method(), "account/read");
    assert!(ClientRequest::read("configRequirements/read", None).is_ok());
}

/// What the reference's own terminal UI sends (release 0.169.0), shortened.
#[test]
fn the_terminal_ui_of_the_reference_is_understood() {
    let start = r#"{"model":null,"modelProvider":null,"serviceTier":null,"cwd":"/w",
        "runtimeWorkspaceRoots":["/w"],"approvalPolicy":null,"approvalsReviewer":null,
        "sandbox":"read-only","config":null,"ephemeral":false,"dynamicTools":[{"name":"x"}]}"#;
    assert!(matches!(read("thread/start", start), Ok(ClientRequest::ThreadStart(_))));

    let turn = r#"{"threadId":"t","clientUserMessageId":"c",
        "input":[{"type":"text","text":"hi","text_elements":[]},{"type":"image","url":"data:"},
                 {"type":"hologram","depth":3}],
        "turnTrigger":"user","cwd":"/w","approvalPolicy":"on-request","sandboxPolicy":null,
        "collaborationMode":{"mode":"default","settings":{"model":"m"}},"outputSchema":null}"#;
    let Ok(ClientRequest::TurnStart(turn)) = read("turn/start", turn) else {
        panic!("turn/start is not understood");
    };
    assert_eq!(turn.input, [UserInput::text("hi"), UserInput::Image {}, UserInput::Unknown]);
    assert_eq!(turn.output_schema, None);
}

#[test]
fn a_prompt_is_absent_null_or_text() {
    for (params, expected) in [
        (r#"{"threadId":"t"}"#, RealtimePrompt::Default),
        (r#"{"threadId":"t","prompt":null}"#, RealtimePrompt::Nothing),
        (r#"{"threadId":"t","prompt":""}"#, RealtimePrompt::Text(String::new())),
    ] {
        let Ok(ClientRequest::RealtimeStart(start)) = read("thread/realtime/start", params) else {
            panic!("{params} is not understood");
        };
        assert_eq!(start.prompt, expected, "of {params}");
        assert_eq!(serde_json::to_string(&start).unwrap(), params);
    }
}

#[test]
fn both_spellings_of_the_session_are_read() {
    let params = r#"{"threadId":"t","sessionId":"old","realtimeSessionId":"new",
        "transport":{"type":"existingCall","callId":"c"}}"#;
    let Ok(ClientRequest::RealtimeStart(start)) = read("thread/realtime/start", params) else {
        panic!("not understood");
    };
    assert_eq!(start.session_id.as_deref(), Some("old"));
    assert_eq!(start.realtime_session_id.as_deref(), Some("new"));
    assert_eq!(start.transport, Some(RealtimeTransport::ExistingCall { call_id: "c".into() }));
}
