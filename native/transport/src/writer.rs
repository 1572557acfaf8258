//! The task that carries a stream's answers into QUIC.

use std::sync::Arc;

use lodestone_memory::CounterId;

use crate::answers::{StreamAnswers, Work};
use crate::quic::{SendStream, WriteError};
use crate::session::Session;

/// Sends what `answers` owes until the stream is finished, stopped by the client, or lost with its connection.
pub(crate) async fn run(session: Arc<Session>, answers: Arc<StreamAnswers>, mut stream: SendStream) {
    let mut buffer = Vec::new();
    loop {
        let work = if session.is_muted() { Work::Stop } else { answers.take(&mut buffer) };
        match work {
            Work::Send { frames } => {
                if send(&answers, &mut stream, &buffer).await.is_err() {
                    break;
                }
                buffer.clear();
                session.plane.counters.add(CounterId::AnswersSent, frames);
            }
            Work::Close(frame) => {
                if stream.write_all(&frame).await.is_ok() {
                    finish(&mut stream).await;
                }
                break;
            }
            Work::Finish => {
                finish(&mut stream).await;
                break;
            }
            Work::Stop => break,
            Work::Wait => tokio::select! {
                biased;
                () = answers.work() => {}
                () = stream.stopped() => break,
            },
        }
    }
    answers.mute();
    session.stream_ended();
}

async fn send(answers: &StreamAnswers, stream: &mut SendStream, bytes: &[u8]) -> Result<(), WriteError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let sent = stream.write(rest).await?;
        answers.sent(sent);
        rest = &rest[sent..];
    }
    Ok(())
}

/// Sends FIN and waits until the client has everything, or wants nothing more, or is gone.
async fn finish(stream: &mut SendStream) {
    if stream.finish() {
        stream.stopped().await;
    }
}
