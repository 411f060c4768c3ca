use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{
    Config, Endpoint, Environment, Home, KeySource, LocalVoice, Provider, ProviderKind,
    RemoteVoice, Secret, VoiceService,
};
use protocol::{
    ApprovalPolicy, RealtimeVersion, SandboxMode, SandboxPolicy, SessionMode, ThreadSettings,
};
use responses_wire::{Effort, Reasoning, Summary};

use crate::{Case, NOTHING};

const KEY: &[(&str, &str)] = &[("OPENAI_API_KEY", "sk-1")];

#[track_caller]
fn endpoint(provider: &Provider) -> &Endpoint {
    match &provider.kind {
        ProviderKind::Responses(endpoint) => endpoint,
        ProviderKind::Local => panic!("{provider:?}"),
    }
}

#[track_caller]
fn remote(config: &Config) -> &RemoteVoice {
    match &config.realtime.service {
        VoiceService::Remote(remote) => remote,
        VoiceService::Local(local) => panic!("{local:?}"),
    }
}

fn is_local(config: &Config) -> bool {
    matches!(config.realtime.service, VoiceService::Local(_))
}

#[test]
fn without_anything_all_is_local() {
    let config = NOTHING.config();
    assert_eq!(config.agent.provider.kind, ProviderKind::Local);
    assert_eq!(config.agent.provider.id, "local");
    assert_eq!(config.agent.model, "qwen2.5-coder-1.5b-instruct");
    assert_eq!(config.agent.approval_policy, ApprovalPolicy::OnRequest);
    assert_eq!(config.agent.sandbox, SandboxPolicy::default());
    assert_eq!(config.agent.test_time, Duration::from_secs(600));
    let local = LocalVoice { speed: 1.0, language: "en".into() };
    assert_eq!(config.realtime.service, VoiceService::Local(local));
    assert!(config.realtime.enabled);
    assert_eq!(config.realtime.version, RealtimeVersion::V2);
    assert_eq!(config.realtime.model, "gpt-realtime-1.5");
    assert_eq!(config.realtime.mode, SessionMode::Conversational);
    assert_eq!(config.warnings, []);
}

#[test]
fn a_missing_file_is_an_empty_one() {
    let home = Home::at("/nowhere/at/all");
    let config = Config::load(&home, &[], &Environment::default()).unwrap();
    assert_eq!(config.agent.provider.id, "local");
}

#[test]
fn a_key_alone_means_openai_for_both_roles() {
    let config = Case { variables: KEY, ..NOTHING }.config();
    assert_eq!(config.agent.provider.id, "openai");
    assert_eq!(config.agent.model, "gpt-5.5");
    let own = endpoint(&config.agent.provider);
    assert_eq!(own.base_url, "https://api.openai.com/v1");
    assert!(matches!(&own.key, KeySource::Variable { name, .. } if name == "OPENAI_API_KEY"));
    assert_eq!(remote(&config).base_url, "https://api.openai.com/v1");
    assert_eq!(remote(&config).provider, "openai");
    let blank = Case { variables: &[("OPENAI_API_KEY", " ")], ..NOTHING }.config();
    assert_eq!(blank.agent.provider.id, "local");
}

#[test]
fn a_provider_of_ones_own() {
    let text = r#"
        model = "m"
        model_provider = "acme"
        [model_providers.acme]
        name = "Acme"
        base_url = "https://acme.example/v1/"
        env_key = "ACME_KEY"
        env_key_instructions = "ask Bob"
        wire_api = "responses"
        query_params = { api-version = "1" }
        http_headers = { x-team = "blue" }
        env_http_headers = { x-user = "USER" }
        stream_idle_timeout_ms = 1500
    "#;
    let config = Case { text, variables: KEY, ..NOTHING }.config();
    let expected = Provider {
        id: "acme".into(),
        name: "Acme".into(),
        kind: ProviderKind::Responses(Endpoint {
            base_url: "https://acme.example/v1".into(),
            key: KeySource::Variable { name: "ACME_KEY".into(), hint: Some("ask Bob".into()) },
            query: vec![("api-version".into(), "1".into())],
            headers: vec![("x-team".into(), Secret::new("blue"))],
            env_headers: vec![("x-user".into(), "USER".into())],
            idle: Duration::from_millis(1500),
        }),
    };
    assert_eq!(config.agent.provider, expected);
    assert_eq!(config.agent.model, "m");
    assert_eq!(config.warnings, []);
    // What is said stays here, although there is a key for elsewhere.
    assert!(is_local(&config));
}

#[test]
fn the_only_provider_of_a_file_is_meant() {
    let text = r#"
        model = "m"
        [model_providers.ollama]
        base_url = "http://localhost:11434/v1"
    "#;
    let config = Case { text, variables: KEY, ..NOTHING }.config();
    assert_eq!(config.agent.provider.id, "ollama");
    assert_eq!(config.agent.provider.name, "ollama");
    assert_eq!(endpoint(&config.agent.provider).key, KeySource::None);
}

#[test]
fn of_two_providers_one_must_be_named() {
    let text = r#"
        model = "m"
        [model_providers.a]
        base_url = "http://a/v1"
        [model_providers.b]
        base_url = "http://b/v1"
        experimental_bearer_token = "t"
    "#;
    let config = Case { text, ..NOTHING }.config();
    assert_eq!(config.agent.provider.id, "local");
    let config = Case { text, flags: &["model_provider=b"], ..NOTHING }.config();
    assert_eq!(endpoint(&config.agent.provider).key, KeySource::Token(Secret::new("t")));
}

#[test]
fn openai_may_be_elsewhere() {
    let text = r#"openai_base_url = "https://gateway.example/v1/""#;
    let config = Case { text, variables: KEY, ..NOTHING }.config();
    assert_eq!(endpoint(&config.agent.provider).base_url, "https://gateway.example/v1");
}

#[test]
fn the_agents_other_settings() {
    let text = r#"
        developer_instructions = "Be kind."
        model_reasoning_effort = "high"
        model_reasoning_summary = "auto"
        approval_policy = "never"
        sandbox_mode = "read-only"
        tools.test_timeout_sec = 1800
        [sandbox_workspace_write]
        writable_roots = ["/cache"]
        network_access = true
    "#;
    let config = Case { text, variables: KEY, ..NOTHING }.config();
    assert_eq!(config.agent.test_time, Duration::from_secs(1800));
    let reasoning = Reasoning { effort: Some(Effort::High), summary: Some(Summary::Auto) };
    assert_eq!(config.agent.reasoning, reasoning);
    let sandbox = SandboxPolicy {
        mode: SandboxMode::ReadOnly,
        // Of `workspace-write` alone: whoever may only read does not gain a network by it.
        writable_roots: Vec::new(),
        network: false,
    };
    let expected = ThreadSettings {
        cwd: PathBuf::from("/repo"),
        model: "gpt-5.5".into(),
        model_provider: "openai".into(),
        approval_policy: ApprovalPolicy::Never,
        sandbox,
        developer_instructions: Some("Be kind.".into()),
        ephemeral: false,
    };
    assert_eq!(config.thread_settings(Path::new("/repo").into()), expected);
    assert_eq!(config.writable_roots, [Path::new("/cache")]);
}

#[test]
fn a_relative_root_lies_beside_the_file() {
    let text = "sandbox_workspace_write.writable_roots = ['cache', '/data']";
    let config = Case { text, ..NOTHING }.config();
    let expected = [config.home.path().join("cache"), PathBuf::from("/data")];
    assert_eq!(config.agent.sandbox.writable_roots, expected);
    assert_eq!(config.writable_roots, expected);
}

#[test]
fn the_references_realtime_keys() {
    let text = r#"
        experimental_realtime_ws_model = "gpt-realtime-2"
        experimental_realtime_ws_backend_prompt = "Speak."
        experimental_realtime_ws_startup_context = ""
        experimental_realtime_start_instructions = "It begins."
        [realtime]
        version = "v1"
        type = "transcription"
        voice = "cove"
        [features]
        realtime_conversation = false
    "#;
    let realtime = Case { text, ..NOTHING }.config().realtime;
    assert!(!realtime.enabled);
    assert_eq!(realtime.version, RealtimeVersion::V1);
    assert_eq!(realtime.mode, SessionMode::Transcription);
    assert_eq!(realtime.model, "gpt-realtime-2");
    assert_eq!(realtime.voice.as_deref(), Some("cove"));
    assert_eq!(realtime.backend_prompt.as_deref(), Some("Speak."));
    assert_eq!(realtime.startup_context.as_deref(), Some(""));
    assert_eq!(realtime.start_instructions.as_deref(), Some("It begins."));
}

#[test]
fn blank_is_not_set() {
    let text = r#"
        model = " "
        developer_instructions = ""
        experimental_realtime_ws_model = ""
        experimental_realtime_ws_backend_prompt = " "
        [realtime]
        voice = ""
    "#;
    let config = Case { text, ..NOTHING }.config();
    assert_eq!(config.agent.developer_instructions, None);
    assert_eq!(config.realtime.model, "gpt-realtime-1.5");
    assert_eq!(config.realtime.backend_prompt, None);
    assert_eq!(config.realtime.voice, None);
}

#[test]
fn the_voice_may_be_somebody_elses() {
    let providers = r#"
        model = "m"
        [model_providers.acme]
        base_url = "https://acme.example/v1"
        [realtime]
    "#;
    let voice = |flags| Case { text: providers, flags, variables: KEY }.config();
    assert!(is_local(&voice(&[])));
    assert_eq!(remote(&voice(&["realtime.provider=acme"])).base_url, "https://acme.example/v1");
    assert_eq!(remote(&voice(&["realtime.provider=openai"])).provider, "openai");
    // The socket's own address keeps the agent's credentials.
    let config = voice(&["experimental_realtime_ws_base_url=ws://127.0.0.1:8080"]);
    assert_eq!(remote(&config).base_url, "ws://127.0.0.1:8080");
    assert_eq!(remote(&config).provider, "acme");
    // And the voice can stay here although the agent is elsewhere.
    let flags = &["realtime.provider=local"];
    let config = Case { flags, variables: KEY, ..NOTHING }.config();
    assert_eq!(config.agent.provider.id, "openai");
    assert!(is_local(&config));
    // An address alone, with the agent at home: then OpenAI's key is the one.
    let flags = &["experimental_realtime_ws_base_url=ws://127.0.0.1:8080"];
    let config = Case { flags, ..NOTHING }.config();
    assert_eq!(config.agent.provider.id, "local");
    assert_eq!(remote(&config).provider, "openai");
}

#[test]
fn the_local_voice() {
    let text = "[realtime.local]\nspeed = 1.25\nlanguage = 'de'";
    let config = Case { text, ..NOTHING }.config();
    let expected = LocalVoice { speed: 1.25, language: "de".into() };
    assert_eq!(config.realtime.service, VoiceService::Local(expected));
}

#[test]
fn variables_with_keys_and_headers_are_named() {
    let text = r#"
        [model_providers.acme]
        base_url = "https://acme.example"
        env_key = "ACME"
        env_http_headers = { x-team = "TEAM" }
        [model_providers.other]
        base_url = "https://other.example"
        experimental_bearer_token = "t"
        http_headers = { x-plain = "VALUE" }
    "#;
    let config = Case { text, flags: &["model=m", "model_provider=acme"], variables: &[] }.config();
    let names: Vec<String> = config.secret_variables().into_iter().collect();
    assert_eq!(names, ["ACME", "OPENAI_API_KEY", "TEAM"]);
}
