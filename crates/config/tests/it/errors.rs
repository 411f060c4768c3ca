use config::{Config, Environment, Home};

use crate::{Case, NOTHING};

#[track_caller]
fn check(text: &'static str, expected: &str) {
    assert_eq!(Case { text, ..NOTHING }.error(), expected);
}

#[track_caller]
fn check_flag(flag: &'static [&'static str], expected: &str) {
    assert_eq!(Case { flags: flag, ..NOTHING }.error(), expected);
}

#[test]
fn a_wrong_type_names_file_line_and_key() {
    check(
        "\nmodel = 5",
        "HOME/config.toml:2: `model`: invalid type: integer `5`, expected a string",
    );
    check(
        "[realtime]\nvoice = true",
        "HOME/config.toml:2: `realtime.voice`: invalid type: boolean `true`, expected a string",
    );
    check(
        "realtime = 1",
        "HOME/config.toml:1: `realtime`: invalid type: integer `1`, expected a table",
    );
    check(
        "[sandbox_workspace_write]\nnetwork_access = 'yes'",
        "HOME/config.toml:2: `sandbox_workspace_write.network_access`: invalid type: string \
         \"yes\", expected a boolean",
    );
    check(
        "[model_providers.'a b']\n\nbase_url = ['x']",
        "HOME/config.toml:3: `model_providers.\"a b\".base_url`: invalid type: sequence, expected \
         a string",
    );
    check(
        "[model_providers.a]\nstream_idle_timeout_ms = -1",
        "HOME/config.toml:2: `model_providers.a.stream_idle_timeout_ms`: invalid value: integer \
         `-1`, expected u64",
    );
}

#[test]
fn a_wrong_name_lists_the_right_ones() {
    check(
        "sandbox_mode = 'off'",
        "HOME/config.toml:1: `sandbox_mode`: unknown variant `off`, expected one of `read-only`, \
         `workspace-write`, `danger-full-access`",
    );
    check(
        "[realtime]\nversion = 'v9'",
        "HOME/config.toml:2: `realtime.version`: unknown variant `v9`, expected `v1` or `v2`",
    );
}

#[test]
fn a_time_that_is_none() {
    check(
        "[tools]\ntest_timeout_sec = 0",
        "HOME/config.toml:2: `tools.test_timeout_sec`: 0 is not from 1 to 86400",
    );
}

/// Beside what would it lie?
#[test]
fn a_relative_root_of_a_flag() {
    check_flag(
        &["sandbox_workspace_write.writable_roots=['/a', 'b']"],
        "`-c sandbox_workspace_write.writable_roots=['/a', 'b']`: \
         `sandbox_workspace_write.writable_roots`: `b` is not a full path",
    );
}

#[test]
fn text_that_is_no_toml() {
    let error = Case { text: "model = \n", ..NOTHING }.error();
    assert!(error.starts_with("HOME/config.toml:1: not valid TOML: "), "{error}");
    let error = Case { text: "a = 1\na = 2", ..NOTHING }.error();
    assert!(error.starts_with("HOME/config.toml:2: not valid TOML: duplicate key"), "{error}");
}

#[test]
fn a_file_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config.toml")).unwrap();
    let load = Config::load(&Home::at(folder.path()), &[], &Environment::default());
    let error = load.unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot read {}", folder.path().display())), "{error}");
}

#[test]
fn flags_name_themselves() {
    check_flag(&["model"], "`-c model` is not `key=value`");
    check_flag(&["=5"], "`-c =5` is not `key=value`");
    check_flag(&["a b=5"], "`-c a b=5` is not `key=value`");
    check_flag(&["model=5"], "`-c model=5`: `model`: invalid type: integer `5`, expected a string");
    check_flag(
        &["realtime.version=v3"],
        "`-c realtime.version=v3`: `realtime.version`: unknown variant `v3`, expected `v1` or `v2`",
    );
}

#[test]
fn chat_is_for_later() {
    check(
        "[model_providers.a]\nbase_url = 'http://a/v1'\nwire_api = 'chat'",
        "HOME/config.toml:3: `model_providers.a.wire_api` is \"chat\": Duet speaks only the \
         Responses API so far; use \"responses\", which most servers have by now",
    );
}

#[test]
fn a_provider_needs_an_address() {
    check(
        "model = 'm'\n[model_providers.a]\nname = 'A'",
        "HOME/config.toml:2: `model_providers.a.base_url`: it is missing: set the URL of the \
         service's API",
    );
    check(
        "[model_providers.a]\nbase_url = 'localhost:11434/v1'",
        "HOME/config.toml:2: `model_providers.a.base_url`: `localhost:11434/v1` does not begin \
         with http:// or https://",
    );
    check_flag(
        &["openai_base_url=x"],
        "`-c openai_base_url=x`: `openai_base_url`: `x` does not begin with http:// or https://",
    );
}

#[test]
fn a_provider_that_is_not_there() {
    check(
        "model_provider = 'acme'",
        "HOME/config.toml:1: `model_provider` names the provider `acme`, which is not defined; \
         defined are: local, openai",
    );
    check_flag(
        &["realtime.provider=acme"],
        "`-c realtime.provider=acme`: `realtime.provider` names the provider `acme`, which is \
         not defined; defined are: local, openai",
    );
}

#[test]
fn a_provider_without_a_model() {
    check(
        "[model_providers.a]\nbase_url = 'http://a/v1'",
        "HOME/config.toml: set `model`: the provider `a` has no default",
    );
}

#[test]
fn a_local_voice_out_of_bounds() {
    check(
        "[realtime.local]\nspeed = 9.0",
        "HOME/config.toml:2: `realtime.local.speed`: 9 is not from 0.5 to 2",
    );
    check(
        "[realtime.local]\nspeed = nan",
        "HOME/config.toml:2: `realtime.local.speed`: NaN is not from 0.5 to 2",
    );
    check(
        "[realtime.local]\nlanguage = 'English'",
        "HOME/config.toml:2: `realtime.local.language`: `English` is not a language's two small \
         letters",
    );
}

/// Tokens in a file must not come back in a message.
#[test]
fn secrets_are_not_repeated() {
    let text = "[model_providers.a]\nbase_url = 'http://a'\nexperimental_bearer_token = 'sk-secret'\n\
                http_headers = { x-key = 'sk-secret' }\nmodel = 'm'";
    let case = Case { text, flags: &["model=m"], ..NOTHING };
    let printed = format!("{:?}", case.config());
    assert!(!printed.contains("sk-secret"), "{printed}");
}
