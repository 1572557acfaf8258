//! What can go wrong, in words that say what to do.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::status::Status;

/// An error of the client.
///
/// After [`Closed`](ClientError::Closed), [`Lost`](ClientError::Lost), [`ClosedHere`](ClientError::ClosedHere) and
/// [`Protocol`](ClientError::Protocol) the session is over; the stream errors touch one stream only; the others leave
/// everything as it was.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClientError {
    /// The trust anchor cannot be used.
    #[error("the trusted certificate cannot be used: {reason}")]
    TrustAnchor {
        /// What is wrong with it.
        reason: String,
    },
    /// A setting of a client described by text is wrong.
    #[error("{key}: {reason}")]
    Setting {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The client's own certificate or key cannot be used.
    #[error("the client's certificate cannot be used: {reason}")]
    Identity {
        /// What is wrong with it.
        reason: String,
    },
    /// The system gives no thread for the client.
    #[error("cannot start the client's thread: {reason}")]
    Thread {
        /// The system's answer.
        reason: String,
    },
    /// As many requests as may be are under way. The request was not sent.
    #[error("{in_flight_max} requests are under way, as many as may be; wait for an answer")]
    InFlightFull {
        /// How many may be.
        in_flight_max: usize,
    },
    /// A read or a route was refused.
    #[error("the server refused the request: {status}")]
    Rejected {
        /// Why.
        status: Status,
        /// The node concerned.
        node: u32,
    },
    /// The UDP socket could not be opened.
    #[error("cannot open a UDP socket on {address}: {source}")]
    Bind {
        /// The local address asked for.
        address: SocketAddr,
        /// The system's answer.
        source: Arc<std::io::Error>,
    },
    /// The handshake failed: wrong certificate, not a Lodestone server, or the server refused the connection.
    #[error("the handshake with {address} failed: {reason}")]
    Handshake {
        /// The server.
        address: SocketAddr,
        /// What the QUIC or TLS layer says.
        reason: String,
    },
    /// No WELCOME within the time allowed for connecting.
    #[error("no answer from {address} within {timeout_ms} ms; is a Lodestone server listening there (UDP)?")]
    ConnectTimeout {
        /// The server.
        address: SocketAddr,
        /// How long the client waited, in milliseconds.
        timeout_ms: u64,
    },
    /// The server answered HELLO with a status other than OK.
    #[error("the server refused the session: {status}")]
    Refused {
        /// Why.
        status: Status,
    },
    /// The server closed the connection.
    #[error("the server closed the connection: {status} {text:?}")]
    Closed {
        /// The application code of the close.
        status: Status,
        /// The server's words, perhaps empty.
        text: String,
    },
    /// This side closed the session before.
    #[error("the session was closed on this side")]
    ClosedHere,
    /// The connection broke: idle time-out, reset, or a transport error.
    #[error("the connection was lost: {reason}")]
    Lost {
        /// What the QUIC layer says.
        reason: String,
    },
    /// The server broke the protocol.
    #[error("the server broke the protocol: {reason}")]
    Protocol {
        /// Which rule.
        reason: String,
    },
    /// The server reset this stream.
    #[error("the server reset the stream with code {code}")]
    StreamReset {
        /// The application's code.
        code: u64,
    },
    /// The server takes no more frames on this stream, or it was finished before.
    #[error("the stream takes no more frames: {reason}")]
    StreamEnded {
        /// Who ended it.
        reason: String,
    },
    /// The stream's buffer is full: flush it first. The frame was not queued.
    #[error("the send buffer of the stream is full ({bytes_max} bytes); flush it first")]
    BufferFull {
        /// Size of the buffer, in bytes.
        bytes_max: usize,
    },
    /// A payload, token or text is longer than its field can hold. Nothing was queued.
    #[error("the {what} has {bytes} bytes; at most {bytes_max} fit")]
    TooLong {
        /// Which field.
        what: &'static str,
        /// Its length, in bytes.
        bytes: usize,
        /// The longest allowed, in bytes.
        bytes_max: usize,
    },
    /// No answer to a datagram came in time: it, or its answer, was lost.
    #[error("no answer to the datagram within {timeout_ms} ms")]
    Unanswered {
        /// How long it was waited for, in milliseconds; a lost connection ends the wait.
        timeout_ms: u64,
    },
    /// The client was opened without updates.
    #[error("the client takes no updates; open it with updates_max above 0")]
    NoUpdates,
    /// The datagram was not sent.
    #[error("the datagram was not sent: {reason}")]
    Datagram {
        /// Why not.
        reason: String,
    },
}

impl From<quinn::ConnectionError> for ClientError {
    fn from(error: quinn::ConnectionError) -> ClientError {
        match error {
            quinn::ConnectionError::ApplicationClosed(close) => ClientError::Closed {
                // A code that no status can have is not the protocol's; INTERNAL keeps it an error without inventing one.
                status: u16::try_from(close.error_code.into_inner()).map_or(Status::INTERNAL, Status::from_code),
                text: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            quinn::ConnectionError::LocallyClosed => ClientError::ClosedHere,
            other => ClientError::Lost { reason: other.to_string() },
        }
    }
}

impl From<quinn::WriteError> for ClientError {
    fn from(error: quinn::WriteError) -> ClientError {
        match error {
            quinn::WriteError::ConnectionLost(lost) => lost.into(),
            other => ClientError::StreamEnded { reason: other.to_string() },
        }
    }
}

impl From<quinn::ReadError> for ClientError {
    fn from(error: quinn::ReadError) -> ClientError {
        match error {
            quinn::ReadError::ConnectionLost(lost) => lost.into(),
            quinn::ReadError::Reset(code) => ClientError::StreamReset { code: code.into_inner() },
            other => ClientError::StreamEnded { reason: other.to_string() },
        }
    }
}
