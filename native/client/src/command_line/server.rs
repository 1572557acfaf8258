//! The options that name a server and say how to reach it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use super::{bytes_of_hex, text, value_of};
use crate::identity::ClientIdentity;
use crate::trust::TrustAnchor;

/// The part of `--help` about these options.
pub const SERVER_HELP: &str = "\
Server
  --target HOST:PORT         UDP address of the server
  --certificate FILE         PEM file with the server's certificate or the authority that signed it
  --fingerprint HEX          instead of --certificate: SHA-256 of the server's certificate
  --server-name NAME         name in the certificate (default: the IP address)
  --token-file FILE          file with the session token in hexadecimal, for servers that ask for one
  --client-certificate FILE  PEM file with a certificate to show, for servers that ask for one
  --client-key FILE          its key, PEM
";

/// How the server proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A PEM file.
    Certificate(PathBuf),
    /// SHA-256 of the certificate, in hexadecimal.
    Fingerprint(String),
}

/// A server, as named on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Host and port.
    pub target: String,
    /// How it proves who it is.
    pub trust: Trust,
    /// The name in its certificate.
    pub server_name: Option<String>,
    /// Where the token is.
    pub token_file: Option<PathBuf>,
    /// The client's own certificate and key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// What was given so far.
#[derive(Clone, Debug, Default)]
pub struct ServerGiven {
    target: Option<String>,
    certificate: Option<PathBuf>,
    fingerprint: Option<String>,
    server_name: Option<String>,
    token_file: Option<PathBuf>,
    client_certificate: Option<PathBuf>,
    client_key: Option<PathBuf>,
}

impl ServerGiven {
    /// Takes an option of this group.
    ///
    /// # Errors
    /// When it is not of this group, or its value is missing.
    pub fn take(&mut self, name: &str, parser: &mut lexopt::Parser) -> Result<(), String> {
        let mut value = || value_of(name, parser);
        match name {
            "target" => self.target = Some(text(name, value()?)?),
            "certificate" => self.certificate = Some(value()?.into()),
            "fingerprint" => self.fingerprint = Some(text(name, value()?)?),
            "server-name" => self.server_name = Some(text(name, value()?)?),
            "token-file" => self.token_file = Some(value()?.into()),
            "client-certificate" => self.client_certificate = Some(value()?.into()),
            "client-key" => self.client_key = Some(value()?.into()),
            unknown => return Err(format!("unknown option --{unknown}")),
        }
        Ok(())
    }

    /// The options, once all were taken.
    ///
    /// # Errors
    /// When one is missing or two exclude each other.
    pub fn complete(self) -> Result<ServerOptions, String> {
        let trust = match (self.certificate, self.fingerprint) {
            (Some(file), None) => Trust::Certificate(file),
            (None, Some(hex)) => Trust::Fingerprint(hex),
            (None, None) => return Err("--certificate FILE is missing".into()),
            (Some(_), Some(_)) => return Err("--certificate and --fingerprint exclude each other".into()),
        };
        let target = self.target.ok_or("--target HOST:PORT is missing")?;
        let identity = match (self.client_certificate, self.client_key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("--client-certificate and --client-key go together".into()),
        };
        Ok(ServerOptions { target, trust, server_name: self.server_name, token_file: self.token_file, identity })
    }
}

impl ServerOptions {
    /// The address behind the target's name.
    ///
    /// # Errors
    /// When there is none.
    pub fn address(&self) -> Result<SocketAddr, String> {
        let target = &self.target;
        let mut addresses =
            target.to_socket_addrs().map_err(|error| format!("--target {target:?} is no HOST:PORT: {error}"))?;
        addresses.next().ok_or_else(|| format!("--target {target:?} has no address"))
    }

    /// Whom to take for the server.
    ///
    /// # Errors
    /// When the certificate or fingerprint is unusable.
    pub fn trust_anchor(&self) -> Result<TrustAnchor, String> {
        let trust = match &self.trust {
            Trust::Certificate(file) => TrustAnchor::pem_file(file),
            Trust::Fingerprint(hex) => TrustAnchor::fingerprint_hex(hex),
        }
        .map_err(|error| error.to_string())?;
        Ok(match &self.server_name {
            Some(name) => trust.with_server_name(name),
            None => trust,
        })
    }

    /// The certificate that the client shows, if one was named.
    ///
    /// # Errors
    /// When a file cannot be read or used.
    pub fn identity(&self) -> Result<Option<ClientIdentity>, String> {
        let read = |(chain, key): &(PathBuf, PathBuf)| ClientIdentity::pem_files(chain, key);
        self.identity.as_ref().map(read).transpose().map_err(|error| error.to_string())
    }

    /// The token of the token file, if one was named.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn token(&self) -> Result<Option<Vec<u8>>, String> {
        let Some(file) = &self.token_file else { return Ok(None) };
        let digits =
            std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
        let token = bytes_of_hex(digits.trim()).filter(|token| !token.is_empty());
        token.map(Some).ok_or_else(|| format!("{} holds no token in hexadecimal", file.display()))
    }
}
