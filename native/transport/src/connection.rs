//! One connection from handshake to end.

use std::sync::Arc;
use std::time::Instant;

use lodestone_memory::{CounterId, HistogramId, Status};

use crate::admission::{Handshake, Running};
use crate::answers::StreamAnswers;
use crate::config::StreamCredit;
use crate::datagram::{DatagramAnswers, DatagramIngress};
use crate::fanout::Leaving;
use crate::hello::{self, Opened};
use crate::ingress::Ingress;
use crate::plane::Plane;
use crate::quic::{Connection, RecvStream, SendStream};
use crate::session::{End, SHUTTING_DOWN_TEXT, Session, close_code, now_unix_ms};
use crate::sink::SessionEvent;
use crate::updates::send_updates;
use crate::writer;

/// Streams granted from WELCOME on, HELLO's included. Most clients never open a second one; those that do are granted
/// all of them with its first byte. QUIC keeps about 75 bytes for each stream that a client may open.
const STREAMS_WELCOMED: u32 = 14;

/// Runs the connection: handshake, HELLO, streams and datagrams, close.
pub(crate) async fn run(plane: Arc<Plane>, connection: Connection, running: Running, handshake: Handshake) {
    // On the heap until it is over, so that the task of a session holds no room for it.
    let Some(opened) = Box::pin(enter(&plane, connection, running, handshake)).await else { return };
    let Opened { session, send, receive } = opened;
    let address = session.connection.remote_address();
    let listed = Listed::new(&plane, session.number);
    plane.counters.add(CounterId::SessionsTotal, 1);
    (plane.events)(SessionEvent::Opened { session: session.number, tenant: session.rights.tenant, address });
    tracing::debug!(session = session.number, %address, "session opened");

    start_stream(&session, Arc::clone(&session.first), send, receive, 1);
    let granted = match plane.stream_credit {
        StreamCredit::OnUse => STREAMS_WELCOMED,
        StreamCredit::AtWelcome => stream_limit(plane.streams_max),
    };
    session.connection.set_max_concurrent_bi_streams(granted.into());
    let status = serve(&session).await;

    drop(listed);
    (plane.events)(SessionEvent::Closed { session: session.number, status });
    tracing::debug!(session = session.number, status, "session closed");
}

/// A session in the table of all. It is taken out when this is dropped, also by a runtime that ends in the middle of it:
/// the table and its sessions hold each other.
struct Listed<'plane> {
    plane: &'plane Plane,
    session: u32,
}

impl Listed<'_> {
    fn new(plane: &Plane, session: u32) -> Listed<'_> {
        plane.counters.add(CounterId::SessionsLive, 1);
        Listed { plane, session }
    }
}

impl Drop for Listed<'_> {
    fn drop(&mut self) {
        self.plane.sessions.remove(self.session);
        self.plane.counters.subtract(CounterId::SessionsLive, 1);
    }
}

/// From the first packet to WELCOME. What takes longer than it may ends without a word to anybody else.
async fn enter(plane: &Arc<Plane>, connection: Connection, running: Running, _under_way: Handshake) -> Option<Opened> {
    shake_hands(plane, &connection).await?;
    hello::open(plane, &connection, running).await
}

/// What QUIC is told, so that a client may always have `streams_max` open. QUIC announces new credit only once more
/// than an eighth of the limit has come back, so the limit is that much higher.
fn stream_limit(streams_max: u32) -> u32 {
    streams_max + streams_max / 7 + 1
}

async fn shake_hands(plane: &Plane, connection: &Connection) -> Option<()> {
    let (started, address) = (Instant::now(), connection.remote_address());
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(plane.hello_wait, connection.established()) => shaken,
        () = plane.stopped() => {
            connection.close(close_code(Status::ShuttingDown), SHUTTING_DOWN_TEXT.as_bytes());
            return None;
        }
    };
    let outcome = match shaken {
        Ok(Ok(())) => {
            let taken = started.elapsed();
            plane.histograms.record(HistogramId::Handshake, u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
            if taken > plane.handshake_target {
                plane.counters.add(CounterId::HandshakesOverTarget, 1);
            }
            return Some(());
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "it took too long".to_owned(),
    };
    plane.counters.add(CounterId::HandshakesFailed, 1);
    if let Some(held_back) = plane.told.handshakes.pass(now_unix_ms()) {
        tracing::info!(%address, error = outcome, held_back, "a handshake failed");
    }
    None
}

/// Serves a welcomed session until its connection is closed; returns the status it was closed with.
async fn serve(session: &Arc<Session>) -> u16 {
    let connection = &session.connection;
    let answers = DatagramAnswers::new(session.number, session.plane.counters, Arc::clone(&session.plane.dock));
    let datagrams = async {
        DatagramIngress::new(Arc::clone(session), Arc::clone(&answers)).run().await;
        std::future::pending::<()>().await;
    };
    let leaving = Leaving::of(session);
    let updates = async move {
        send_updates(session, leaving).await;
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        biased;
        end = session.ended() => Some(end),
        () = session.plane.ingress.closed() => Some(End::engine_gone()),
        () = accept_streams(session) => None,
        () = datagrams => None,
        () = answers.send_all(connection) => None,
        () = updates => None,
    };
    match end {
        Some(end) => session.close_connection(end).await,
        None => 0,
    }
}

/// Takes the client's streams until the connection is over.
async fn accept_streams(session: &Arc<Session>) {
    let mut all_granted = false;
    while let Ok((send, receive)) = session.connection.accept_bi().await {
        session.stream_allowed().await;
        if !all_granted {
            all_granted = true;
            session.connection.set_max_concurrent_bi_streams(stream_limit(session.plane.streams_max).into());
        }
        let limits = session.plane.answer_limits.clone();
        let answers = StreamAnswers::new(session.number, limits, Vec::new());
        start_stream(session, answers, send, receive, 0);
    }
}

/// Starts the two tasks of a stream. They end with the stream, or with the connection.
fn start_stream(
    session: &Arc<Session>,
    answers: Arc<StreamAnswers>,
    send: SendStream,
    receive: RecvStream,
    counter: u64,
) {
    session.stream_begins();
    answers.let_loop_write(send.pen(), session.silence());
    tokio::spawn(writer::run(Arc::clone(session), Arc::clone(&answers), send));
    tokio::spawn(Ingress::new(Arc::clone(session), answers, counter).run(receive));
}

#[cfg(test)]
mod tests {
    use super::stream_limit;

    #[test]
    fn credit_not_announced_yet_never_eats_into_what_was_promised() {
        for promised in 128..=4_096 {
            let limit = stream_limit(promised);
            assert!(limit - limit / 8 >= promised, "{promised}");
        }
    }
}
