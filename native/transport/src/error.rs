//! Why a server could not start, or not take over a new identity.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why [`crate::Server::start`] failed; the text says what, where and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The UDP socket could not be had.
    #[error(
        "cannot listen on UDP {address}: {source}; end the process that holds the port, or choose another address \
         (port 0 takes any free port)"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The certificate file cannot be used.
    #[error("certificate file {}: {reason}; it must hold the certificate chain in PEM form, leaf first", .path.display())]
    CertificateFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file cannot be used.
    #[error("key file {}: {reason}; it must hold one private key in PEM form, without a passphrase", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Both files are fine, but they do not belong together.
    #[error(
        "the key in {} does not belong to the first certificate in {}; give the key it was made with, and put the \
         server's own certificate first", .key_file.display(), .certificate_file.display()
    )]
    CertificateKeyMismatch {
        /// The certificate file.
        certificate_file: PathBuf,
        /// The key file.
        key_file: PathBuf,
    },
    /// The file with the authorities that sign for clients cannot be used.
    #[error("client CA file {}: {reason}; it must hold the certificates of the authorities in PEM form", .path.display())]
    ClientCaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The self-signed certificate could not be made.
    #[error("cannot make a self-signed certificate: {reason}; configure certificate files instead")]
    SelfSigned {
        /// What went wrong.
        reason: String,
    },
    /// TLS refused the settings.
    #[error("cannot set up TLS: {reason}")]
    Tls {
        /// What TLS said.
        reason: String,
    },
    /// The token keys cannot be used.
    #[error("token keys: {reason}")]
    Auth {
        /// What is wrong with them.
        reason: String,
    },
    /// The file of revoked tokens cannot be used.
    #[error(
        "file of revoked tokens {}: {reason}; give another, mend it, or take it away, after which the tokens in it count again",
        .path.display()
    )]
    RevocationsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is out of its range.
    #[error("{name} is {found}, allowed is {least} to {most}")]
    Setting {
        /// The field of the configuration.
        name: &'static str,
        /// What was given.
        found: u64,
        /// The least allowed value.
        least: u64,
        /// The greatest allowed value.
        most: u64,
    },
}
