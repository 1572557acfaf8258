//! Certificates, authorities and token keys that change while the server runs; resumption; who is let in.

mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::*;
use hmac::{Hmac, KeyInit, Mac};
use lodestone_memory::{CounterId, Status};
use lodestone_transport::{Auth, Certificate, ClientCertificates, RevokeError, TokenKey, TransportError};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};
use sha2::Sha256;

/// An authority and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key, for a client or a server.
    fn sign(&self) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().der().clone(), key)
    }
}

/// PEM files of a server in a folder of their own.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Files {
        Files { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a new pair over the old one; the leaf.
    fn renew(&self) -> Vec<u8> {
        let (certificate, key) = Authority::new().sign();
        let chain = pem::encode(&pem::Pem::new("CERTIFICATE", certificate.to_vec()));
        std::fs::write(self.path("chain.pem"), chain).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        certificate.to_vec()
    }

    fn certificate(&self) -> Certificate {
        Certificate::Pem { certificate_file: self.path("chain.pem"), key_file: self.path("key.pem") }
    }

    fn authority(&self, name: &str) -> (Authority, PathBuf) {
        let authority = Authority::new();
        std::fs::write(self.path(name), &authority.pem).unwrap();
        (authority, self.path(name))
    }
}

/// Believes every server and counts how often it was shown a certificate.
#[derive(Debug, Default)]
struct Witness {
    shown: AtomicU64,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.shown.fetch_add(1, Ordering::Relaxed);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unreachable!("TLS 1.3 only")
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

/// A client that keeps its tickets between connections.
struct Caller {
    config: quinn::ClientConfig,
    witness: Arc<Witness>,
}

impl Caller {
    fn new(shows: Option<(CertificateDer<'static>, KeyPair)>) -> Caller {
        let witness = Arc::new(Witness::default());
        let builder = rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&witness) as _);
        let mut tls = match shows {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                builder.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        tls.alpn_protocols = vec![b"lodestone/1".to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        Caller { config, witness }
    }

    async fn connect(&self, bench: &Bench) -> Result<Connection, ConnectionError> {
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = bench.server.local_address();
        watched("connect", endpoint.connect_with(self.config.clone(), address, "localhost").unwrap()).await
    }

    /// A welcomed session; the ticket that comes with it has arrived too, since WELCOME is sent behind it.
    async fn session(&self, bench: &Bench) -> Client {
        Client::welcomed(self.connect(bench).await.unwrap(), &[]).await
    }

    /// In TLS 1.3 the client is done before the server has judged its certificate, so the refusal comes as a close.
    async fn refused(&self, bench: &Bench) {
        let failed = bench.counters.get(CounterId::HandshakesFailed);
        if let Ok(connection) = self.connect(bench).await {
            let end = watched("the refusal", connection.closed()).await;
            assert!(matches!(end, ConnectionError::ConnectionClosed(_)), "{end:?}");
        }
        until("it is counted", || bench.counters.get(CounterId::HandshakesFailed) > failed).await;
        assert_eq!(bench.counters.get(CounterId::SessionsTotal), bench.counters.get(CounterId::SessionsLive));
    }

    fn shown(&self) -> u64 {
        self.witness.shown.load(Ordering::Relaxed)
    }
}

fn leaf_of(connection: &Connection) -> Vec<u8> {
    let chain = connection.peer_identity().unwrap().downcast::<Vec<CertificateDer<'static>>>().unwrap();
    chain[0].to_vec()
}

async fn acked(client: &mut Client, counter: u64) {
    let frame = move_frame(0, client.session, counter, 1, &[]);
    client.send.write_all(&frame).await.unwrap();
    assert_eq!(until_acked(&mut client.receive, counter).await.last().unwrap().counter, counter);
}

#[tokio::test]
async fn a_new_pair_is_shown_to_whoever_comes_next_and_nobody_is_disturbed() {
    let files = Files::new();
    let first = files.renew();
    let mut setup = Setup::default();
    setup.config.certificate = files.certificate();
    let bench = setup.start();
    let mut early = Caller::new(None).session(&bench).await;
    assert_eq!(leaf_of(&early.connection), first);

    let second = files.renew();
    bench.server.reload_identity(&files.certificate(), &ClientCertificates::Off, &Auth::None).unwrap();
    assert_eq!(bench.server.certificate_der(), second);
    assert_eq!(pem::parse(bench.server.certificate_pem()).unwrap().contents(), second);
    assert_eq!(leaf_of(&Caller::new(None).session(&bench).await.connection), second);
    acked(&mut early, 1).await;
    assert_eq!(bench.counters.get(CounterId::IdentityReloads), 1);
}

#[tokio::test]
async fn a_bad_pair_is_refused_and_the_old_one_goes_on() {
    let files = Files::new();
    let first = files.renew();
    let mut setup = Setup::default();
    setup.config.certificate = files.certificate();
    let bench = setup.start();
    let reload = |keys: &Auth| bench.server.reload_identity(&files.certificate(), &ClientCertificates::Off, keys);

    files.renew();
    std::fs::write(files.path("key.pem"), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(matches!(reload(&Auth::None), Err(TransportError::CertificateKeyMismatch { .. })));
    std::fs::write(files.path("chain.pem"), "no certificate").unwrap();
    assert!(matches!(reload(&Auth::None), Err(TransportError::CertificateFile { .. })));
    files.renew();
    let short = Auth::Tokens(vec![TokenKey { id: 1, secret: vec![1; 31] }]);
    assert!(matches!(reload(&short), Err(TransportError::Auth { .. })), "bad keys keep a good pair out as well");
    let missing = ClientCertificates::Required { ca_file: files.path("missing.pem") };
    let error = bench.server.reload_identity(&files.certificate(), &missing, &Auth::None).unwrap_err();
    assert!(error.to_string().contains("missing.pem"), "{error}");

    assert_eq!(bench.server.certificate_der(), first);
    assert_eq!(leaf_of(&Caller::new(None).session(&bench).await.connection), first);
    let counted = [CounterId::IdentityReloads, CounterId::IdentityReloadsRefused].map(|id| bench.counters.get(id));
    assert_eq!(counted, [0, 4]);
}

#[tokio::test]
async fn a_client_that_comes_back_resumes_until_the_next_reload() {
    let bench = Bench::start();
    let before = bench.server.fingerprint();
    let caller = Caller::new(None);
    for round in 1..=3 {
        drop(caller.session(&bench).await);
        assert_eq!(caller.shown(), 1, "round {round}: a certificate is shown at the first handshake alone");
        assert_eq!(bench.counters.get(CounterId::HandshakesResumed), round - 1);
    }
    bench.server.reload_identity(&Certificate::SelfSigned, &ClientCertificates::Off, &Auth::None).unwrap();
    assert_eq!(bench.server.fingerprint(), before, "a self-signed certificate stays");
    drop(caller.session(&bench).await);
    assert_eq!((caller.shown(), bench.counters.get(CounterId::HandshakesResumed)), (2, 2));
    drop(caller.session(&bench).await);
    assert_eq!((caller.shown(), bench.counters.get(CounterId::HandshakesResumed)), (2, 3));
}

#[tokio::test]
async fn required_certificates_let_in_whom_the_authority_knows() {
    let files = Files::new();
    let (ours, ca_file) = files.authority("ours.pem");
    let mut setup = Setup::default();
    setup.config.client_certificates = ClientCertificates::Required { ca_file };
    let bench = setup.start();
    Caller::new(None).refused(&bench).await;
    Caller::new(Some(Authority::new().sign())).refused(&bench).await;
    let known = Caller::new(Some(ours.sign()));
    let one = known.session(&bench).await;
    let _resumed = known.session(&bench).await;
    assert_eq!(bench.counters.get(CounterId::HandshakesResumed), 1);

    // With other authorities the same client is a stranger, its ticket notwithstanding; its open session stays.
    let (theirs, ca_file) = files.authority("theirs.pem");
    let required = ClientCertificates::Required { ca_file };
    bench.server.reload_identity(&Certificate::SelfSigned, &required, &Auth::None).unwrap();
    known.refused(&bench).await;
    Caller::new(Some(theirs.sign())).session(&bench).await;
    assert!(one.connection.close_reason().is_none());
    bench.server.reload_identity(&Certificate::SelfSigned, &ClientCertificates::Off, &Auth::None).unwrap();
    Caller::new(None).session(&bench).await;
}

#[tokio::test]
async fn optional_certificates_are_judged_only_where_shown() {
    let files = Files::new();
    let (ours, ca_file) = files.authority("ours.pem");
    let mut setup = Setup::default();
    setup.config.client_certificates = ClientCertificates::Optional { ca_file };
    let bench = setup.start();
    let _one = Caller::new(None).session(&bench).await;
    let _other = Caller::new(Some(ours.sign())).session(&bench).await;
    Caller::new(Some(Authority::new().sign())).refused(&bench).await;
}

#[tokio::test]
async fn a_bad_file_of_authorities_keeps_the_server_from_starting() {
    let files = Files::new();
    let text = files.path("text.pem");
    std::fs::write(&text, "this is no certificate").unwrap();
    for (file, part) in [(files.path("missing.pem"), "cannot be read"), (text, "holds no certificate")] {
        let mut setup = Setup::default();
        setup.config.client_certificates = ClientCertificates::Required { ca_file: file.clone() };
        let Err(error) = setup.try_start() else { panic!("the server starts") };
        assert!(matches!(&error, TransportError::ClientCaFile { path, .. } if path == &file), "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

fn token(key: &TokenKey, nonce: u64) -> Vec<u8> {
    let mut bytes = key.id.to_le_bytes().to_vec();
    bytes.extend_from_slice(&6_u32.to_le_bytes());
    bytes.extend_from_slice(&u64::MAX.to_le_bytes());
    bytes.extend_from_slice(&0_u32.to_le_bytes());
    bytes.extend_from_slice(&u32::MAX.to_le_bytes());
    bytes.extend_from_slice(&nonce.to_le_bytes());
    let signature = Hmac::<Sha256>::new_from_slice(&key.secret).unwrap().chain_update(&bytes).finalize();
    bytes.extend_from_slice(&signature.into_bytes());
    bytes
}

/// The status of WELCOME for this token.
async fn greeting(bench: &Bench, token: &[u8]) -> u16 {
    let connection = bench.connect().await;
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(&hello_frame(1, token)).await.unwrap();
    next(&mut receive).await.unwrap().u16(2)
}

#[tokio::test]
async fn keys_are_exchanged_with_an_overlap() {
    let [old, new] = [1, 2].map(|id| TokenKey { id, secret: vec![id as u8; 32] });
    let (by_old, by_new) = (token(&old, 1), token(&new, 2));
    let bench = Bench::start();
    let keys = |keys: &[&TokenKey]| {
        let auth = Auth::Tokens(keys.iter().map(|key| (*key).clone()).collect());
        bench.server.reload_identity(&Certificate::SelfSigned, &ClientCertificates::Off, &auth).unwrap();
    };
    let unauthorized = Status::Unauthorized.code();
    assert_eq!(greeting(&bench, &[]).await, 0, "no keys yet");
    keys(&[&old]);
    assert_eq!([greeting(&bench, &[]).await, greeting(&bench, &by_new).await], [unauthorized; 2]);
    let mut early = Client::welcomed(bench.connect().await, &by_old).await;
    keys(&[&old, &new]);
    assert_eq!([greeting(&bench, &by_old).await, greeting(&bench, &by_new).await], [0; 2]);
    keys(&[&new]);
    assert_eq!([greeting(&bench, &by_old).await, greeting(&bench, &by_new).await], [unauthorized, 0]);
    acked(&mut early, 1).await;
}

#[tokio::test]
async fn a_session_is_revoked_with_every_other_of_its_token() {
    let key = TokenKey { id: 1, secret: vec![1; 32] };
    let mut setup = Setup::default();
    setup.config.auth = Auth::Tokens(vec![key.clone()]);
    let bench = setup.start();
    let (bad, good) = (token(&key, 1), token(&key, 2));
    let one = Client::welcomed(bench.connect().await, &bad).await;
    let twin = Client::welcomed(bench.connect().await, &bad).await;
    let mut other = Client::welcomed(bench.connect().await, &good).await;
    assert!(bench.server.revoke_session(u32::MAX).is_none());
    bench.server.revoke_session(one.session).unwrap().unwrap();
    for revoked in [&one, &twin] {
        assert_eq!(closed(&revoked.connection).await.0, u64::from(Status::Unauthorized.code()));
    }
    assert_eq!([greeting(&bench, &bad).await, greeting(&bench, &good).await], [Status::Unauthorized.code(), 0]);
    acked(&mut other, 1).await;
}

#[tokio::test]
async fn a_revocation_outlives_the_server_where_it_has_a_file() {
    let key = TokenKey { id: 1, secret: vec![1; 32] };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revoked");
    let start = || {
        let mut setup = Setup::default();
        setup.config.auth = Auth::Tokens(vec![key.clone()]);
        setup.config.revocations_file = Some(path.clone());
        setup.try_start()
    };
    let [by_session, by_name, good, last] = [1, 2, 3, 4].map(|nonce| token(&key, nonce));
    let bench = start().unwrap();
    let one = Client::welcomed(bench.connect().await, &by_session).await;
    bench.server.revoke_session(one.session).unwrap().unwrap();
    bench.server.revoke_token(2).unwrap();
    let second = start().err().unwrap();
    assert!(matches!(&second, TransportError::RevocationsFile { .. }), "{second}: the file is in use");
    bench.server.shutdown(5000).await;
    drop(bench);

    let bench = start().unwrap();
    let unauthorized = Status::Unauthorized.code();
    for (token, status) in [(&by_session, unauthorized), (&by_name, unauthorized), (&good, 0), (&last, 0)] {
        assert_eq!(greeting(&bench, token).await, status);
    }
    // What cannot be written down is refused all the same, and whoever asked for it knows.
    drop(folder);
    let error = bench.server.revoke_token(4).unwrap_err();
    assert!(matches!(&error, RevokeError::NotWritten { .. }), "{error}");
    assert_eq!([greeting(&bench, &last).await, greeting(&bench, &good).await], [unauthorized, 0]);
}
