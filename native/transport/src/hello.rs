//! Before the session: the first stream, HELLO, and whether the client is welcome.

use std::sync::Arc;

use lodestone_memory::{CounterId, Status};
use tokio::time::{Instant, sleep_until, timeout};

use crate::admission::Running;
use crate::answers::StreamAnswers;
use crate::datagram;
use crate::frame::{
    FrameKind, HEADER_BYTES, Header, PROTOCOL_VERSION, PROTOCOL_VERSION_LATEST, TEXT_BYTES_MAX, Welcome, array_at,
    put_close, put_welcome, u16_at,
};
use crate::plane::Plane;
use crate::quic::{Connection, ReadError, RecvStream, SendStream};
use crate::session::{CLOSE_WAIT, NotOpened, SHUTTING_DOWN_TEXT, Session, close_code, now_unix_ms};
use crate::token::{Rights, TOKEN_REVOKED};

/// Longest HELLO.
const HELLO_BYTES_MAX: usize = HEADER_BYTES + 4 + TEXT_BYTES_MAX as usize;
/// How long the delivery of a refusing WELCOME is waited for: a few losses on a slow path.
const REFUSAL_WAIT: std::time::Duration = std::time::Duration::from_secs(2);

/// Why there is no session.
enum Refusal {
    /// WELCOME with the status, then the connection's end.
    Unwelcome(Status, &'static str),
    /// CLOSE with the status, then the connection's end.
    Fault(Status, &'static str),
    /// The connection has ended by itself.
    Gone,
}

/// A welcomed session and its first stream.
pub(crate) struct Opened {
    pub(crate) session: Arc<Session>,
    pub(crate) send: SendStream,
    pub(crate) receive: RecvStream,
}

/// Waits for HELLO and opens the session, or turns the client away and closes the connection. Until then no other
/// stream is read and datagrams are dropped.
pub(crate) async fn open(plane: &Arc<Plane>, connection: &Connection, running: Running) -> Option<Opened> {
    // One for both: a stream that is opened buys no more time.
    let deadline = Instant::now() + plane.hello_wait;
    let mut streams = tokio::select! {
        first = connection.accept_bi() => first.ok()?,
        () = datagram::drop_all(connection, &plane.counters) => return None,
        () = sleep_until(deadline) => return turn_away_unheard(connection, Status::Malformed, "no HELLO came"),
        () = plane.stopped() => return turn_away_unheard(connection, Status::ShuttingDown, SHUTTING_DOWN_TEXT),
    };
    let heard = tokio::select! {
        heard = read_hello(&mut streams.1) => heard,
        () = datagram::drop_all(connection, &plane.counters) => Err(Refusal::Gone),
        () = sleep_until(deadline) => Err(Refusal::Fault(Status::Malformed, "no HELLO came")),
        () = plane.stopped() => Err(Refusal::Fault(Status::ShuttingDown, SHUTTING_DOWN_TEXT)),
    };
    let outcome = match heard.and_then(|body| rights_of(plane, &body)) {
        Ok((version, rights)) => {
            datagram::drop_ready(connection, &plane.counters);
            welcome(plane, connection, version, rights, running)
        }
        Err(refusal) => Err(refusal),
    };
    let (send, receive) = streams;
    match outcome {
        Ok(session) => Some(Opened { session, send, receive }),
        Err(refusal) => {
            turn_away(plane, connection, send, refusal).await;
            // Kept until here, or STOP_SENDING would be ahead of the answer.
            drop(receive);
            None
        }
    }
}

fn turn_away_unheard(connection: &Connection, status: Status, text: &str) -> Option<Opened> {
    connection.close(close_code(status), text.as_bytes());
    None
}

/// Reads HELLO and nothing else; returns its body. The header is judged as soon as it is there.
async fn read_hello(stream: &mut RecvStream) -> Result<Vec<u8>, Refusal> {
    let malformed = |text| Refusal::Fault(Status::Malformed, text);
    let mut reader = HelloReader::default();
    loop {
        let chunk = match stream.read_chunk(HELLO_BYTES_MAX + 1).await {
            Ok(Some(chunk)) => chunk.bytes,
            Ok(None) | Err(ReadError::Reset) => {
                return Err(malformed("the first stream ended before HELLO"));
            }
            Err(_) => return Err(Refusal::Gone),
        };
        if let Some(body) = reader.take(&chunk).map_err(malformed)? {
            return Ok(body);
        }
    }
}

/// Gathers HELLO from the chunks of the first stream.
#[derive(Default)]
pub(crate) struct HelloReader {
    bytes: Vec<u8>,
    frame_bytes: Option<usize>,
}

impl HelloReader {
    /// Takes a chunk; gives the body once HELLO is whole. Of no use after an error.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
        // One byte more than the longest HELLO is enough to see that there is too much.
        let room = HELLO_BYTES_MAX + 1 - self.bytes.len();
        self.bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if self.frame_bytes.is_none() && self.bytes.len() >= HEADER_BYTES {
            self.frame_bytes = Some(judge(&self.bytes)?);
        }
        match self.frame_bytes {
            Some(wanted) if self.bytes.len() > wanted => Err("something after HELLO before WELCOME"),
            Some(wanted) if self.bytes.len() == wanted => Ok(Some(self.bytes.split_off(HEADER_BYTES))),
            _ => Ok(None),
        }
    }
}

/// Judges the header of the first frame; returns how long the frame is.
fn judge(bytes: &[u8]) -> Result<usize, &'static str> {
    let head = Header::parse(&array_at(bytes, 0)).map_err(|fault| fault.0)?;
    if head.kind != FrameKind::Hello {
        return Err("something else than HELLO before WELCOME");
    }
    if head.session != 0 {
        return Err("a HELLO with a session number");
    }
    if head.counter != 0 {
        return Err("a HELLO whose counter is not 0");
    }
    Ok(head.frame_bytes())
}

/// Version and token in a HELLO of a version up to `version_max`; else the status and text of the refusal.
pub(crate) fn token_of(body: &[u8], version_max: u16) -> Result<(u16, &[u8]), (Status, &'static str)> {
    let version = u16_at(body, 0);
    if !(PROTOCOL_VERSION..=version_max).contains(&version) {
        let text = "only protocol version 1, and 2 and 3 where there is fan-out, are spoken here";
        return Err((Status::VersionUnsupported, text));
    }
    let token = &body[4..];
    if usize::from(u16_at(body, 2)) != token.len() {
        return Err((Status::Malformed, "a HELLO whose token length does not fit its body"));
    }
    Ok((version, token))
}

/// The highest version of the contract spoken here.
fn version_max(plane: &Plane) -> u16 {
    if plane.fanout.is_some() { PROTOCOL_VERSION_LATEST } else { PROTOCOL_VERSION }
}

/// Checks version and token; returns what the client speaks and may.
fn rights_of(plane: &Plane, body: &[u8]) -> Result<(u16, Rights), Refusal> {
    let (version, token) = token_of(body, version_max(plane)).map_err(|(status, text)| match status {
        Status::Malformed => Refusal::Fault(status, text),
        _ => Refusal::Unwelcome(status, text),
    })?;
    let rights = plane.gate.check(token, now_unix_ms());
    rights.map(|rights| (version, rights)).map_err(|fault| Refusal::Unwelcome(Status::Unauthorized, fault.0))
}

/// Opens the session, WELCOME being the first frame that its first stream owes.
fn welcome(
    plane: &Arc<Plane>,
    connection: &Connection,
    version: u16,
    rights: Rights,
    running: Running,
) -> Result<Arc<Session>, Refusal> {
    let opened = plane.sessions.open(rights, |number| {
        let frame = welcome_frame(plane, version, number, Status::Ok);
        let first = StreamAnswers::new(number, plane.answer_limits.clone(), frame);
        Session::new(number, version, rights, Arc::clone(plane), connection.clone(), first, running)
    });
    opened.map_err(|reason| match reason {
        NotOpened::Revoked => Refusal::Unwelcome(Status::Unauthorized, TOKEN_REVOKED.0),
        NotOpened::ShuttingDown => Refusal::Fault(Status::ShuttingDown, SHUTTING_DOWN_TEXT),
    })
}

fn welcome_frame(plane: &Plane, version: u16, session: u32, status: Status) -> Vec<u8> {
    let mut frame = Vec::new();
    let (streams_max, nodes_max) = (plane.streams_max, plane.nodes_max);
    put_welcome(&mut frame, Welcome { version, session, status, streams_max, revision: (plane.revision)(), nodes_max });
    frame
}

async fn turn_away(plane: &Plane, connection: &Connection, mut send: SendStream, refusal: Refusal) {
    let (status, text, frame, wait) = match refusal {
        Refusal::Gone => return,
        Refusal::Unwelcome(status, text) => {
            if status == Status::Unauthorized {
                plane.counters.add(CounterId::UnauthorizedRefused, 1);
            }
            (status, text, welcome_frame(plane, version_max(plane), 0, status), REFUSAL_WAIT)
        }
        Refusal::Fault(status, text) => {
            if status == Status::Malformed {
                plane.counters.add(CounterId::ProtocolErrors, 1);
            }
            let mut frame = Vec::new();
            put_close(&mut frame, 0, status, text);
            (status, text, frame, CLOSE_WAIT)
        }
    };
    if status != Status::ShuttingDown
        && let Some(held_back) = plane.told.turned_away.pass(now_unix_ms())
    {
        let (address, status) = (connection.remote_address(), status.code());
        tracing::warn!(%address, status, held_back, "a client was turned away: {text}");
    }
    let _ = timeout(wait, async {
        if send.write_all(&frame).await.is_ok() && send.finish() {
            send.stopped().await;
        }
    })
    .await;
    connection.close(close_code(status), text.as_bytes());
}
