use config::{Config, Environment, Home, Override};

use crate::{Case, NOTHING};

#[test]
fn unknown_keys_are_named_with_their_line() {
    let text = r#"
colour = "red"
[realtime]
volume = 11
[model_providers.a]
base_url = "http://a/v1"
shape.size = 1
"#;
    let case = Case { text, flags: &["model=m", "taste=sweet"], ..NOTHING };
    assert_eq!(
        case.warnings(),
        [
            "HOME/config.toml:2: unknown key `colour`",
            "HOME/config.toml:7: unknown key `model_providers.a.shape`",
            "HOME/config.toml:4: unknown key `realtime.volume`",
            "`-c taste=sweet`: unknown key `taste`",
        ]
    );
}

#[test]
fn keys_of_the_reference_have_no_effect_yet() {
    let text = r#"
model = "m"
personality = "friendly"
[realtime]
transport = "webrtc"
[mcp_servers.docs]
command = "docs"
[features]
web = true
[model_providers.a]
base_url = "http://a/v1"
request_max_retries = 4
"#;
    assert_eq!(
        Case { text, ..NOTHING }.warnings(),
        [
            "HOME/config.toml:9: `features.web` has no effect yet",
            "HOME/config.toml:6: `mcp_servers` has no effect yet",
            "HOME/config.toml:12: `model_providers.a.request_max_retries` has no effect yet",
            "HOME/config.toml:3: `personality` has no effect yet",
            "HOME/config.toml:5: `realtime.transport` has no effect yet",
        ]
    );
}

#[test]
fn what_is_built_in_stays() {
    let text = "[model_providers.openai]\nbase_url = 'http://evil/v1'";
    assert_eq!(
        Case { text, ..NOTHING }.warnings(),
        ["HOME/config.toml:1: the provider `openai` is built in and not changed by \
          `model_providers.openai`: give yours another name"]
    );
}

#[test]
fn a_model_that_nobody_runs() {
    assert_eq!(
        Case { text: "model = 'gpt-5.5'", ..NOTHING }.warnings(),
        ["HOME/config.toml:1: no provider is set up for the model `gpt-5.5`, so the bundled one \
          answers: set OPENAI_API_KEY, or `model_provider`"]
    );
    let text = "model = 'qwen2.5-coder-1.5b-instruct'";
    assert!(Case { text, ..NOTHING }.warnings().is_empty());
}

/// A client sends a key, and no `-c`.
#[test]
fn what_a_request_says_is_no_flag() {
    let over = Override::set("model", "gpt-5.5").unwrap();
    let environment = Environment::default();
    let config = Config::load(&Home::at("/nowhere"), &[over], &environment).unwrap();
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    let expected = "`model`: no provider is set up for the model `gpt-5.5`, so the bundled one \
                    answers: set OPENAI_API_KEY, or `model_provider`";
    assert_eq!(warnings, [expected]);
}
