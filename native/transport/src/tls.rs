//! What TLS shows and asks for, exchangeable while the server runs.
//!
//! One TLS configuration serves all handshakes of a server for its whole life. What may change (certificate, authorities
//! of clients, keys of tickets) it asks for at each handshake, and [`Identity::reload`] exchanges all of it at once. Live
//! connections are not touched.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use lodestone_memory::{CounterId, Counters};
use quinn::crypto::rustls::QuicServerConfig;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};

use crate::certificates::{client_verifier, from_files, self_signed};
use crate::config::{Certificate, ClientCertificates};
use crate::error::TransportError;

/// What client and server must both name in the handshake.
const ALPN: &[u8] = b"lodestone/1";
/// Tickets that a client gets with each full handshake. One is enough to come back once, and a client that comes back gets
/// the next; each costs a part of a packet and an encryption.
const TICKETS_A_HANDSHAKE: usize = 1;

/// What one handshake sees.
struct Credentials {
    certificate: Certificate,
    key: Arc<CertifiedKey>,
    /// `None`: clients are not asked for a certificate.
    clients: Option<Arc<dyn ClientCertVerifier>>,
    /// With keys of its own: a ticket given out before the last reload opens nothing, so that no client that today's
    /// authorities do not know comes back without showing a certificate.
    tickets: Arc<dyn ProducesTickets>,
}

impl Credentials {
    /// Reads or makes everything anew; a self-signed certificate is kept, because clients know it by its fingerprint.
    fn load(
        certificate: &Certificate,
        clients: &ClientCertificates,
        listen: IpAddr,
        before: Option<&Credentials>,
    ) -> Result<Credentials, TransportError> {
        let provider = Arc::new(ring::default_provider());
        let key = match (certificate, before) {
            (Certificate::SelfSigned, Some(before)) if before.certificate == Certificate::SelfSigned => {
                Arc::clone(&before.key)
            }
            (Certificate::SelfSigned, _) => Arc::new(self_signed(listen, &provider)?),
            (Certificate::Pem { certificate_file, key_file }, _) => {
                Arc::new(from_files(certificate_file, key_file, &provider)?)
            }
        };
        let tickets = ring::Ticketer::new().map_err(|error| TransportError::Tls { reason: error.to_string() })?;
        Ok(Credentials {
            certificate: certificate.clone(),
            key,
            clients: client_verifier(clients, &provider)?,
            tickets,
        })
    }

    fn leaf_der(&self) -> &[u8] {
        self.key.cert.first().map(|leaf| leaf.as_ref()).unwrap_or_default()
    }
}

/// The server's certificate and everything TLS needs.
pub(crate) struct Identity {
    shared: Arc<Shared>,
    listen: IpAddr,
    reloading: Mutex<()>,
    pub(crate) crypto: Arc<QuicServerConfig>,
}

/// Credentials that are ready to be used.
pub(crate) struct Reloaded(Credentials);

impl Identity {
    /// Makes or reads the certificate, and reads the authorities of clients.
    ///
    /// # Errors
    /// A file that is missing, is no PEM, holds no certificate or key, or a key that belongs to another certificate.
    pub(crate) fn load(
        certificate: &Certificate,
        clients: &ClientCertificates,
        listen: IpAddr,
        counters: Counters,
    ) -> Result<Identity, TransportError> {
        let credentials = Credentials::load(certificate, clients, listen, None)?;
        let schemes = ring::default_provider().signature_verification_algorithms.supported_schemes();
        let shared = Arc::new(Shared { now: RwLock::new(Arc::new(credentials)), schemes, counters });
        let failed = |reason: String| TransportError::Tls { reason };
        let config = tls_config(&shared).map_err(|error| failed(error.to_string()))?;
        let crypto = QuicServerConfig::try_from(config).map_err(|error| failed(error.to_string()))?;
        Ok(Identity { shared, listen, reloading: Mutex::new(()), crypto: Arc::new(crypto) })
    }

    /// Held by whoever reloads, so that two reloads never mix.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.reloading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads everything anew, without using it yet.
    ///
    /// # Errors
    /// As [`Identity::load`].
    pub(crate) fn reload(
        &self,
        certificate: &Certificate,
        clients: &ClientCertificates,
    ) -> Result<Reloaded, TransportError> {
        Credentials::load(certificate, clients, self.listen, Some(&self.shared.now())).map(Reloaded)
    }

    /// Handshakes that begin from here on see what was read.
    pub(crate) fn adopt(&self, reloaded: Reloaded) {
        *self.shared.now.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(reloaded.0);
    }

    /// The leaf as DER.
    pub(crate) fn leaf_der(&self) -> Vec<u8> {
        self.shared.now().leaf_der().to_vec()
    }

    /// The whole chain as PEM, without the key.
    pub(crate) fn pem(&self) -> String {
        let now = self.shared.now();
        let blocks: Vec<_> = now.key.cert.iter().map(|der| ::pem::Pem::new("CERTIFICATE", der.to_vec())).collect();
        ::pem::encode_many(&blocks)
    }

    /// SHA-256 of the leaf.
    pub(crate) fn fingerprint(&self) -> [u8; 32] {
        Sha256::digest(self.shared.now().leaf_der()).into()
    }
}

/// TLS 1.3 only, and no early data: whoever recorded it could send it again, and a move must not be applied twice.
fn tls_config(shared: &Arc<Shared>) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::clone(shared) as _)
        .with_cert_resolver(Arc::clone(shared) as _);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.max_early_data_size = 0;
    config.send_tls13_tickets = TICKETS_A_HANDSHAKE;
    config.ticketer = Arc::clone(shared) as _;
    // All of a session is in its ticket: nothing is kept for a client that left.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

/// What TLS asks at each handshake. The lock is held to copy one pointer.
struct Shared {
    now: RwLock<Arc<Credentials>>,
    schemes: Vec<SignatureScheme>,
    counters: Counters,
}

impl Shared {
    fn now(&self) -> Arc<Credentials> {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn clients(&self) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
        // A reload may end the question for certificates while a handshake is under way.
        self.now().clients.clone().ok_or_else(|| rustls::Error::General("certificates are not asked for".to_owned()))
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Shared {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.now().key))
    }
}

impl ProducesTickets for Shared {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        self.now().tickets.lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.now().tickets.encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        let plain = self.now().tickets.decrypt(cipher)?;
        self.counters.add(CounterId::HandshakesResumed, 1);
        Some(plain)
    }
}

impl ClientCertVerifier for Shared {
    fn offer_client_auth(&self) -> bool {
        self.now().clients.is_some()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.now().clients.as_ref().is_some_and(|clients| clients.client_auth_mandatory())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // No hints: a client has the one certificate that it was given, and who signs them is nobody's business.
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.clients()?.verify_client_cert(leaf, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.clients()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.clients()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
