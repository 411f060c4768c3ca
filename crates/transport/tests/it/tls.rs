use std::io::Write as _;
use std::net::TcpListener as StdListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use transport::{Dial, DownloadError, Headers, Network, Trust, WebSocketError, WebSocketMessage};

const PATIENCE: Duration = Duration::from_secs(30);

/// A server of this machine's own, and the file that makes it believed.
struct Secured {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    authority: tempfile::NamedTempFile,
}

impl Secured {
    async fn start() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let mut authority = tempfile::NamedTempFile::new().unwrap();
        authority.write_all(cert.pem().as_bytes()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, acceptor: TlsAcceptor::from(Arc::new(config)), authority }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/x", self.listener.local_addr().unwrap().port())
    }

    fn network(&self) -> Network {
        Network::new(Trust::SystemAnd(self.authority.path().to_owned()))
    }
}

#[tokio::test]
async fn https_with_an_authority_of_ones_own() {
    let server = Secured::start().await;
    let service = async {
        let (socket, _) = server.listener.accept().await.unwrap();
        let mut socket = server.acceptor.accept(socket).await.unwrap();
        let read = socket.read(&mut [0; 4096]).await.unwrap();
        assert!(read > 0);
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
        socket.write_all(answer).await.unwrap();
        socket.flush().await.unwrap();
    };
    let client = async {
        let mut download =
            server.network().download(&server.url("https"), 0, PATIENCE).await.unwrap();
        assert_eq!(download.chunk().await.unwrap().unwrap(), "hello");
    };
    tokio::join!(service, client);
}

#[tokio::test]
async fn wss_with_an_authority_of_ones_own() {
    let server = Secured::start().await;
    let service = async {
        let (socket, _) = server.listener.accept().await.unwrap();
        let socket = server.acceptor.accept(socket).await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap();
        let message = socket.next().await.unwrap().unwrap();
        assert_eq!(message.to_text().unwrap(), "hello");
        socket.close(None).await.unwrap();
    };
    let client = async {
        let dial = Dial { url: server.url("wss"), headers: Headers::new(), timeout: PATIENCE };
        let (mut writer, mut reader) = server.network().open_websocket(&dial).await.unwrap();
        writer.send("hello").await.unwrap();
        let goodbye = reader.next().await.unwrap().unwrap();
        assert!(matches!(goodbye, WebSocketMessage::Close { .. }), "{goodbye:?}");
    };
    tokio::join!(service, client);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let server = Secured::start().await;
    let service = async {
        for _ in 0..2 {
            let (socket, _) = server.listener.accept().await.unwrap();
            assert!(server.acceptor.accept(socket).await.is_err());
        }
    };
    let client = async {
        // Another server's authority, so that the test needs none of the system's.
        let other = Secured::start().await;
        let network = other.network();
        let error = network.download(&server.url("https"), 0, PATIENCE).await.unwrap_err();
        assert!(matches!(&error, DownloadError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
        let dial = Dial { url: server.url("wss"), headers: Headers::new(), timeout: PATIENCE };
        let error = network.open_websocket(&dial).await.unwrap_err();
        assert!(matches!(&error, WebSocketError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
    };
    tokio::join!(service, client);
}

/// Certificates are read when a handshake needs them: plain HTTP never does.
#[tokio::test]
async fn a_missing_authority_matters_only_to_tls() {
    let missing = Network::new(Trust::SystemAnd(Path::new("/nowhere/ca.pem").into()));
    let plain = StdListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap();
    let service = std::thread::spawn(move || {
        let (mut socket, _) = plain.accept().unwrap();
        crate::support::read_request(&mut socket);
        socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let mut download = missing.download(&format!("http://{address}/"), 0, PATIENCE).await.unwrap();
    assert_eq!(download.chunk().await.unwrap(), None);
    service.join().unwrap();

    let server = Secured::start().await;
    let service = async {
        let (socket, _) = server.listener.accept().await.unwrap();
        assert!(server.acceptor.accept(socket).await.is_err());
    };
    let client = async {
        let error = missing.download(&server.url("https"), 0, PATIENCE).await.unwrap_err();
        assert!(error.to_string().contains("/nowhere/ca.pem"), "{error}");
    };
    tokio::join!(service, client);
}
