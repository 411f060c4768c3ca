use config::{Config, Environment, Home, Override, ProviderKind};
use protocol::SandboxMode;

use crate::{Case, NOTHING};

#[test]
fn flags_win_over_the_file_and_later_ones_over_earlier_ones() {
    let text = "developer_instructions = 'file'\nsandbox_mode = 'read-only'";
    let flags = &["developer_instructions=one", "developer_instructions=two"];
    let agent = Case { text, flags, ..NOTHING }.config().agent;
    assert_eq!(agent.developer_instructions.as_deref(), Some("two"));
    assert_eq!(agent.sandbox.mode, SandboxMode::ReadOnly);
}

#[test]
fn values_are_toml_or_plain_text() {
    let instructions = |flag| {
        let flags: &[&str] = Vec::leak(vec![flag]);
        Case { flags, ..NOTHING }.config().agent.developer_instructions.unwrap()
    };
    assert_eq!(instructions("developer_instructions=Be kind."), "Be kind.");
    assert_eq!(instructions("developer_instructions = \"Be \\\"kind\\\"\""), "Be \"kind\"");
    assert_eq!(instructions("developer_instructions=a=b"), "a=b");
    assert_eq!(instructions("developer_instructions=a\nmodel = 5"), "a\nmodel = 5");
    let flags = &[r#"sandbox_workspace_write={ writable_roots = ["/a"], network_access = true }"#];
    let sandbox = Case { flags, ..NOTHING }.config().agent.sandbox;
    assert!(sandbox.network);
    assert_eq!(sandbox.writable_roots.len(), 1);
}

#[test]
fn one_key_of_a_table_keeps_the_others() {
    let text = "model = 'm'\n[model_providers.\"a.b\"]\nbase_url = 'http://a/v1'\nname = 'A'";
    let flags = &[r#"model_providers."a.b".base_url="http://b/v1""#];
    let provider = Case { text, flags, ..NOTHING }.config().agent.provider;
    assert_eq!(provider.name, "A");
    let ProviderKind::Responses(endpoint) = provider.kind else { panic!("{provider:?}") };
    assert_eq!(endpoint.base_url, "http://b/v1");
}

/// A whole provider can be given for one run, without any file.
#[test]
fn flags_alone_are_enough() {
    let flags = &["model=m", "model_providers.x.base_url=http://x/v1", "model_provider=x"];
    assert_eq!(Case { flags, ..NOTHING }.config().agent.provider.id, "x");
}

#[test]
fn clients_set_values_of_any_type() {
    let set = [
        Override::set("sandbox_workspace_write.network_access", true).unwrap(),
        Override::set("sandbox_workspace_write.writable_roots", ["/a", "/b"]).unwrap(),
        Override::set("model", "m").unwrap(),
    ];
    let home = Home::at("/nowhere");
    let config = Config::load(&home, &set, &Environment::default()).unwrap();
    assert!(config.agent.sandbox.network);
    assert_eq!(config.agent.sandbox.writable_roots.len(), 2);
    // TOML has no null.
    assert!(Override::set("model", None::<String>).is_err());
    assert!(Override::set("", 1).is_err());
}
