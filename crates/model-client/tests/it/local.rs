//! The bundled model's own calls are tested in `inference`; here is that they go there.

use config::{Environment, Provider, ProviderKind};
use model_client::ModelClient;
use protocol::{ModelErrorKind, Reasoning};
use transport::{Network, Trust};

use crate::{drain, no_host, request};

#[tokio::test]
async fn a_host_that_cannot_start_is_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new(Trust::System);
    let host = no_host(folder.path());
    let client = ModelClient::new(network, Environment::default(), host);
    let local = Provider { id: "local".into(), name: "bundled".into(), kind: ProviderKind::Local };
    let (events, error) =
        drain(client.stream(&local, "any", Reasoning::default(), request("hello"))).await;
    assert_eq!(events, []);
    let error = error.unwrap();
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    assert!(error.message.contains("duet"), "{}", error.message);
}
