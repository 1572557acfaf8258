//! One connection from handshake to end.

use std::sync::Arc;
use std::time::Instant;

use lodestone_memory::{CounterId, HistogramId};
use quinn::{Connection, Incoming, RecvStream, SendStream};
use tokio::sync::OwnedSemaphorePermit;

use crate::answers::StreamAnswers;
use crate::datagram::{DatagramAnswers, DatagramIngress};
use crate::fanout::send_updates;
use crate::hello;
use crate::ingress::Ingress;
use crate::plane::Plane;
use crate::session::{End, Session, now_unix_ms};
use crate::sink::SessionEvent;
use crate::writer;

/// Runs the connection: handshake, HELLO, streams and datagrams, close.
pub(crate) async fn run(plane: Arc<Plane>, incoming: Incoming, place: OwnedSemaphorePermit) {
    let Some(connection) = shake_hands(&plane, incoming).await else { return };
    let Some(opened) = hello::open(&plane, &connection, place).await else { return };
    let session = opened.session;
    let address = connection.remote_address();
    plane.counters.add(CounterId::SessionsTotal, 1);
    plane.counters.add(CounterId::SessionsLive, 1);
    (plane.events)(SessionEvent::Opened { session: session.number, tenant: session.rights.tenant, address });
    tracing::debug!(session = session.number, %address, "session opened");

    start_stream(&session, Arc::clone(&session.first), opened.send, opened.receive, 1);
    connection.set_max_concurrent_bi_streams(stream_limit(plane.streams_max).into());
    let status = serve(&session).await;

    plane.sessions.remove(session.number);
    plane.counters.subtract(CounterId::SessionsLive, 1);
    (plane.events)(SessionEvent::Closed { session: session.number, status });
    tracing::debug!(session = session.number, status, "session closed");
}

/// What QUIC is told, so that a client may always have `streams_max` open. QUIC announces new credit only once more
/// than an eighth of the limit has come back, so the limit is that much higher.
fn stream_limit(streams_max: u32) -> u32 {
    streams_max + streams_max / 7 + 1
}

async fn shake_hands(plane: &Plane, incoming: Incoming) -> Option<Connection> {
    let (started, address) = (Instant::now(), incoming.remote_address());
    let shaken = match incoming.accept() {
        Ok(connecting) => connecting.await,
        Err(error) => Err(error),
    };
    match shaken {
        Ok(connection) => {
            let taken = started.elapsed();
            plane.histograms.record(HistogramId::Handshake, u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
            if taken > plane.handshake_target {
                plane.counters.add(CounterId::HandshakesOverTarget, 1);
            }
            Some(connection)
        }
        Err(error) => {
            plane.counters.add(CounterId::HandshakesFailed, 1);
            if let Some(held_back) = plane.told.handshakes.pass(now_unix_ms()) {
                tracing::info!(%address, %error, held_back, "a handshake failed");
            }
            None
        }
    }
}

/// Serves a welcomed session until its connection is closed; returns the status it was closed with.
async fn serve(session: &Arc<Session>) -> u16 {
    let connection = &session.connection;
    let answers = Arc::new(DatagramAnswers::new(session.number, session.plane.counters));
    let datagrams = async {
        DatagramIngress::new(Arc::clone(session), Arc::clone(&answers)).run().await;
        std::future::pending::<()>().await;
    };
    let updates = async {
        send_updates(session).await;
        std::future::pending::<()>().await;
    };
    let end = tokio::select! {
        biased;
        end = session.ended() => Some(end),
        _ = connection.closed() => None,
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

async fn accept_streams(session: &Arc<Session>) {
    while let Ok((send, receive)) = session.connection.accept_bi().await {
        let limits = session.plane.answer_limits.clone();
        let answers = Arc::new(StreamAnswers::new(session.number, limits, Vec::new()));
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
