//! Who is connected, who may connect, and what the server shows them: calls that any thread may make on an engine.

use lodestone_memory::Status;
use lodestone_transport::{RevokeError, Server, SessionInfo};

use crate::config::Config;
use crate::engine::Engine;
use crate::error::EngineError;

impl Engine {
    /// The live sessions.
    pub fn sessions(&self) -> Vec<SessionInfo> {
        self.server().map(Server::sessions).unwrap_or_default()
    }

    /// Closes a session with status 0.
    ///
    /// # Errors
    /// [`EngineError::InvalidArgument`] when there is no such session.
    pub fn close_session(&self, session: u32) -> Result<(), EngineError> {
        self.check_open()?;
        let closed =
            self.server().is_some_and(|server| server.close_session(session, Status::Ok, "closed by the application"));
        if closed { Ok(()) } else { Err(no_session(session)) }
    }

    /// Refuses the token with this nonce from now on and closes the sessions opened with it.
    ///
    /// # Errors
    /// [`EngineError::Closed`]; [`EngineError::Memory`] when 262,144 tokens are revoked already; [`EngineError::Io`] when the token
    /// is refused, but could not be put into `transport.revocations_file`.
    pub fn revoke_token(&self, nonce: u64) -> Result<(), EngineError> {
        self.check_open()?;
        let server = self.server().ok_or(EngineError::Closed)?;
        self.logs().within(|| server.revoke_token(nonce)).map_err(not_revoked)
    }

    /// The certificate that clients meet now: its chain as PEM, and SHA-256 of its leaf (DER).
    pub fn certificate(&self) -> (String, [u8; 32]) {
        let opened = || (self.description().certificate_pem.clone(), self.description().fingerprint);
        self.server().map_or_else(opened, |server| (server.certificate_pem(), server.fingerprint()))
    }

    /// Takes up `transport.certificate`, `transport.client_certificates`, `transport.client_ca_file` and `transport.auth` of
    /// a configuration text, all or nothing, reading their files anew. The other keys are checked and left as they were at
    /// the opening. Sessions that are open stay so.
    ///
    /// # Errors
    /// [`EngineError::Config`] or [`EngineError::Certificate`]: the old identity goes on. [`EngineError::Closed`].
    pub fn reload_identity(&self, config: &str) -> Result<(), EngineError> {
        self.check_open()?;
        let config = Config::parse(config)?;
        let server = self.server().ok_or(EngineError::Closed)?;
        let (certificate, clients, auth) = (&config.certificate, &config.client_certificates, &config.auth);
        Ok(self.logs().within(|| server.reload_identity(certificate, clients, auth))?)
    }

    /// Refuses the token of this session from now on and closes all sessions opened with it; a session without a token is
    /// closed alone.
    ///
    /// # Errors
    /// [`EngineError::InvalidArgument`] when there is no such session; as [`Engine::revoke_token`].
    pub fn revoke_session(&self, session: u32) -> Result<(), EngineError> {
        self.check_open()?;
        match self.server().and_then(|server| self.logs().within(|| server.revoke_session(session))) {
            Some(revoked) => revoked.map_err(not_revoked),
            None => Err(no_session(session)),
        }
    }
}

fn no_session(session: u32) -> EngineError {
    EngineError::InvalidArgument(format!("there is no session {session}; it may have ended already"))
}

fn not_revoked(error: RevokeError) -> EngineError {
    match error {
        RevokeError::Full => EngineError::Memory(error.to_string()),
        RevokeError::NotWritten { .. } => EngineError::Io(error.to_string()),
    }
}
