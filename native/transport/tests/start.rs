//! What a server needs to start, and what it says when it cannot.

mod common;

use std::path::{Path, PathBuf};

use common::*;
use lodestone_transport::{Certificate, TransportError};
use rcgen::{CertifiedKey, KeyPair};
use sha2::{Digest, Sha256};

struct Files {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Files {
    fn new() -> Files {
        let folder = tempfile::tempdir().unwrap();
        Files { path: folder.path().to_owned(), _folder: folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn issue() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

fn start_with(certificate_file: &Path, key_file: &Path) -> Result<Bench, TransportError> {
    let mut setup = Setup::default();
    setup.config.certificate =
        Certificate::Pem { certificate_file: certificate_file.to_owned(), key_file: key_file.to_owned() };
    setup.try_start()
}

fn start_error(certificate_file: &Path, key_file: &Path) -> TransportError {
    match start_with(certificate_file, key_file) {
        Ok(_) => panic!("the server starts"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn the_self_signed_certificate_serves_names_and_addresses() {
    let bench = Bench::start();
    assert_eq!(bench.server.fingerprint(), <[u8; 32]>::from(Sha256::digest(bench.server.certificate_der())));
    let pem = pem::parse(bench.server.certificate_pem()).unwrap();
    assert_eq!((pem.tag(), pem.contents()), ("CERTIFICATE", bench.server.certificate_der().as_slice()));
    for name in ["localhost", "127.0.0.1", "::1"] {
        let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
        let connecting = endpoint.connect_with(config, bench.server.local_address(), name).unwrap();
        let connection = watched("connect", connecting).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        Client::welcomed(connection, &[]).await;
    }
}

#[tokio::test]
async fn two_servers_have_two_certificates() {
    let (one, two) = (Bench::start(), Bench::start());
    assert_ne!(one.server.fingerprint(), two.server.fingerprint());
}

#[tokio::test]
async fn certificate_files_are_used_and_the_key_is_never_given_out() {
    let files = Files::new();
    let CertifiedKey { cert, signing_key } = issue();
    // Both in one file is allowed, in any order.
    let both = files.write("both.pem", &[signing_key.serialize_pem(), cert.pem()].concat());
    let bench = start_with(&both, &both).unwrap();
    assert_eq!(bench.server.certificate_der(), cert.der().as_ref());
    assert!(!bench.server.certificate_pem().contains("PRIVATE"));
    bench.session().await;
}

#[tokio::test]
async fn each_bad_certificate_file_is_named_with_what_is_wrong() {
    let files = Files::new();
    let CertifiedKey { cert, signing_key } = issue();
    let good_certificate = files.write("cert.pem", &cert.pem());
    let good_key = files.write("key.pem", &signing_key.serialize_pem());
    let missing = files.path.join("missing.pem");
    let text = files.write("text.pem", "this is no certificate");
    let broken = files.write("broken.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n");
    let open = files.write("open.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let garbage = files.write("garbage.pem", &pem::encode(&pem::Pem::new("CERTIFICATE", vec![1, 2, 3])));

    for (path, part) in [
        (&missing, "cannot be read"),
        (&text, "holds no certificate"),
        (&good_key, "holds no certificate"),
        (&broken, "not valid PEM"),
        (&open, "not valid PEM"),
        (&garbage, "cannot be used"),
    ] {
        let error = start_error(path, &good_key);
        assert!(matches!(&error, TransportError::CertificateFile { path: named, .. } if named == path), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(part) && text.contains(&*path.to_string_lossy()), "{text}");
    }
    let garbage_key = files.write("garbage-key.pem", &pem::encode(&pem::Pem::new("PRIVATE KEY", vec![1, 2, 3])));
    for (path, part) in [
        (&missing, "cannot be read"),
        (&text, "holds no private key"),
        (&good_certificate, "holds no private key"),
        (&garbage_key, "cannot be used"),
    ] {
        let error = start_error(&good_certificate, path);
        assert!(matches!(&error, TransportError::KeyFile { path: named, .. } if named == path), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(part) && text.contains(&*path.to_string_lossy()), "{text}");
    }
    let other_key = files.write("other-key.pem", &issue().signing_key.serialize_pem());
    let error = start_error(&good_certificate, &other_key);
    assert!(matches!(error, TransportError::CertificateKeyMismatch { .. }), "{error:?}");
    assert!(error.to_string().contains("other-key.pem"), "{error}");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let bench = Bench::start();
    let mut setup = Setup::default();
    setup.config.listen = bench.server.local_address();
    let Err(error) = setup.try_start() else { panic!("two servers on one port") };
    assert!(matches!(error, TransportError::Bind { address, .. } if address == bench.server.local_address()));
    let text = error.to_string();
    assert!(text.contains(&bench.server.local_address().to_string()) && text.contains("another address"), "{text}");
}

#[tokio::test]
async fn a_port_is_free_again_after_shutdown_and_drop() {
    let bench = Bench::start();
    let address = bench.server.local_address();
    bench.server.shutdown(1000).await;
    drop(bench);
    watched("the port", async {
        loop {
            let mut setup = Setup::default();
            setup.config.listen = address;
            if setup.try_start().is_ok() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_setting_out_of_range_is_refused() {
    let mut setup = Setup::default();
    setup.config.streams_max = 5;
    let Err(error) = setup.try_start() else { panic!("five streams are against the contract") };
    assert_eq!(error.to_string(), "streams_max is 5, allowed is 128 to 4096");
}
