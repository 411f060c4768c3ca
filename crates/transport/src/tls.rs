//! TLS by rustls over aws-lc-rs, with certificates read at the first handshake.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Whose certificates are believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// The system's authorities; `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured.
    #[default]
    System,
    /// The system's, and those in a PEM file: a company's proxy, a test.
    SystemAnd(PathBuf),
}

#[derive(Debug)]
pub(crate) struct Tls {
    verifier: Arc<LazyVerifier>,
    http: OnceLock<ClientConfig>,
    websocket: OnceLock<Arc<ClientConfig>>,
}

impl Tls {
    pub(crate) fn new(trust: Trust) -> Self {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = Arc::new(LazyVerifier { trust, provider, verifier: OnceLock::new() });
        Self { verifier, http: OnceLock::new(), websocket: OnceLock::new() }
    }

    pub(crate) fn for_http(&self) -> ClientConfig {
        self.http.get_or_init(|| self.config(&[b"h2", b"http/1.1"])).clone()
    }

    pub(crate) fn for_websocket(&self) -> Arc<ClientConfig> {
        let config = || Arc::new(self.config(&[b"http/1.1"]));
        Arc::clone(self.websocket.get_or_init(config))
    }

    /// Reads the certificates on a thread that may block, when the next handshake needs them.
    ///
    /// Its errors come again in the handshake, where they are reported.
    pub(crate) async fn warm(&self) {
        if self.verifier.verifier.get().is_none() {
            let verifier = Arc::clone(&self.verifier);
            let loaded = tokio::task::spawn_blocking(move || verifier.get().is_ok()).await;
            // False or a panic: the handshake tries again and says why.
            drop(loaded);
        }
    }

    fn config(&self, protocols: &[&[u8]]) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::clone(&self.verifier.provider))
            .with_safe_default_protocol_versions()
            .expect("aws-lc-rs has the default versions");
        let verifier = Arc::clone(&self.verifier);
        let mut config =
            builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        config
    }
}

/// The platform's verifier, made when the first certificate is to be judged.
#[derive(Debug)]
struct LazyVerifier {
    trust: Trust,
    provider: Arc<CryptoProvider>,
    /// Only a success is kept: the authorities may be installed while we run.
    verifier: OnceLock<Verifier>,
}

impl LazyVerifier {
    fn get(&self) -> Result<&Verifier, Error> {
        if let Some(verifier) = self.verifier.get() {
            return Ok(verifier);
        }
        let extra = match &self.trust {
            Trust::System => Vec::new(),
            Trust::SystemAnd(path) => CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect)
                .map_err(|error| Error::General(format!("{}: {error}", path.display())))?,
        };
        let verifier =
            Verifier::new_with_extra_roots(extra, Arc::clone(&self.provider)).map_err(|error| {
                let remedy = "install the package ca-certificates or set SSL_CERT_FILE";
                Error::General(format!("{error}: {remedy}"))
            })?;
        Ok(self.verifier.get_or_init(|| verifier))
    }
}

impl ServerCertVerifier for LazyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verifier = self.get()?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
