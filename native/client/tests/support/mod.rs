//! A server that follows a script, for what a real one never does on demand: break the protocol, vanish, fall silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use lodestone_client::wire::{ALPN, Header, frame_type};
use quinn::crypto::rustls::QuicServerConfig;
use rustls::pki_types::PrivateKeyDer;

/// What the server does once it has read HELLO.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Script {
    /// WELCOME carries this status; other than 0, the connection then closes with it.
    pub(crate) welcome_status: u16,
    /// Highest version of the protocol that is spoken, beyond 1.
    pub(crate) version_max: Option<u16>,
    /// Each frame whose counter is a multiple of this is refused with CONFLICT.
    pub(crate) reject_every: Option<u64>,
    /// Before this counter is decided, the server reports a rollback.
    pub(crate) rollback_before: Option<u64>,
    /// When this counter arrives, the server sends CLOSE and closes with SHUTTING_DOWN.
    pub(crate) close_at: Option<u64>,
    /// When this counter arrives, the server sends bytes that are no frame.
    pub(crate) garbage_at: Option<u64>,
    /// From this counter on the server reads and says nothing.
    pub(crate) silent_from: Option<u64>,
    /// Answers leave in pieces of this many bytes.
    pub(crate) piece_bytes: Option<usize>,
}

/// A running scripted server; it ends with the runtime that it was started on.
pub(crate) struct ScriptedServer {
    pub(crate) address: SocketAddr,
    pub(crate) pem: String,
}

pub(crate) const SESSION: u32 = 7;
pub(crate) const NODES_MAX: u32 = 1_000;

impl ScriptedServer {
    pub(crate) fn start(script: Script) -> ScriptedServer {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls).unwrap()));
        let endpoint = quinn::Endpoint::server(config, (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = endpoint.local_addr().unwrap();
        tokio::spawn(async move {
            while let Some(incoming) = endpoint.accept().await {
                tokio::spawn(async move {
                    if let Ok(connection) = incoming.await {
                        serve(connection, script).await;
                    }
                });
            }
        });
        ScriptedServer { address, pem: made.cert.pem() }
    }
}

async fn serve(connection: quinn::Connection, script: Script) {
    tokio::spawn(echo_datagram_reads(connection.clone()));
    let mut first = true;
    while let Ok((send, receive)) = connection.accept_bi().await {
        let stream = Stream { connection: connection.clone(), send, receive, script };
        tokio::spawn(stream.serve(first));
        first = false;
    }
}

/// Answers each datagram with an ACK of its counter.
async fn echo_datagram_reads(connection: quinn::Connection) {
    while let Ok(datagram) = connection.read_datagram().await {
        let header = Header::decode(datagram.first_chunk().unwrap());
        connection.send_datagram(ack(header.counter, 1).into()).unwrap();
    }
}

struct Stream {
    connection: quinn::Connection,
    send: quinn::SendStream,
    receive: quinn::RecvStream,
    script: Script,
}

impl Stream {
    /// Ends when the client or the script ends the stream.
    async fn serve(mut self, first: bool) {
        let mut expected = 0;
        while let Some((header, body)) = self.frame().await {
            assert_eq!(header.counter, expected, "the client's counters must not have gaps");
            expected += 1;
            let answered = if first && header.counter == 0 {
                self.welcome(header, &body).await
            } else {
                self.answer(header, &body).await
            };
            if answered.is_none() {
                return;
            }
        }
        let _ = self.send.finish();
    }

    async fn frame(&mut self) -> Option<(Header, Vec<u8>)> {
        let mut head = [0; 16];
        self.receive.read_exact(&mut head).await.ok()?;
        let header = Header::decode(&head);
        let mut body = vec![0; usize::from(header.length)];
        self.receive.read_exact(&mut body).await.ok()?;
        Some((header, body))
    }

    async fn welcome(&mut self, hello: Header, body: &[u8]) -> Option<()> {
        assert_eq!((hello.frame_type, hello.session), (frame_type::HELLO, 0));
        let (asked, spoken) = (u16::from_le_bytes([body[0], body[1]]), self.script.version_max.unwrap_or(1));
        let status = if asked > spoken { 10 } else { self.script.welcome_status };
        let session = if status == 0 { SESSION } else { 0 };
        let mut out = header(frame_type::WELCOME, 24, session, 0);
        out.extend_from_slice(&asked.min(spoken).to_le_bytes());
        out.extend_from_slice(&status.to_le_bytes());
        out.extend_from_slice(&128u32.to_le_bytes());
        out.extend_from_slice(&5u64.to_le_bytes());
        out.extend_from_slice(&NODES_MAX.to_le_bytes());
        out.extend_from_slice(&256u16.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        self.write(&out).await?;
        if status != 0 {
            let _ = self.send.finish();
            let _ = self.send.stopped().await;
            self.connection.close(u32::from(status).into(), b"");
        }
        Some(())
    }

    async fn answer(&mut self, frame: Header, body: &[u8]) -> Option<()> {
        assert_eq!(frame.session, SESSION);
        let counter = frame.counter;
        let script = self.script;
        if script.silent_from.is_some_and(|from| counter >= from) {
            return Some(());
        }
        if script.close_at == Some(counter) {
            let mut close = header(frame_type::CLOSE, 8, SESSION, 0);
            close.extend_from_slice(&[13, 0, 4, 0]);
            close.extend_from_slice(b"over");
            self.write(&close).await?;
            let _ = self.send.finish();
            let _ = self.send.stopped().await;
            self.connection.close(13u32.into(), b"over");
            return None;
        }
        if script.garbage_at == Some(counter) {
            return self.write(&[0xee; 64]).await;
        }
        if script.rollback_before == Some(counter) {
            let mut notice = reject(u64::MAX, 12, 0);
            notice.extend_from_slice(&ack(counter - 1, 2));
            self.write(&notice).await?;
        }
        self.write(&self.decision(frame, body)).await
    }

    fn decision(&self, frame: Header, body: &[u8]) -> Vec<u8> {
        let refused = self.script.reject_every.is_some_and(|every| frame.counter.is_multiple_of(every));
        match frame.frame_type {
            frame_type::ROUTE => {
                let nodes = 8192u32;
                let mut out = header(frame_type::PATH, 24 + 4 * 8192, SESSION, frame.counter);
                out.extend_from_slice(&6u64.to_le_bytes());
                out.extend_from_slice(&99u64.to_le_bytes());
                out.extend_from_slice(&nodes.to_le_bytes());
                out.extend_from_slice(&[0; 4]);
                out.extend((0..nodes).flat_map(u32::to_le_bytes));
                out
            }
            frame_type::READ => {
                let mut out = header(frame_type::STATE, 264, SESSION, frame.counter);
                out.extend_from_slice(&6u64.to_le_bytes());
                let mut slot = [0; 256];
                slot[..4].copy_from_slice(&body[..4]);
                slot[13] = 1;
                out.extend_from_slice(&slot);
                out
            }
            _ if refused => {
                let mut out = reject(frame.counter, 5, 1);
                out.extend_from_slice(&ack(frame.counter, 6));
                out
            }
            _ => ack(frame.counter, 6),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Option<()> {
        for piece in bytes.chunks(self.script.piece_bytes.unwrap_or(usize::MAX)) {
            self.send.write_all(piece).await.ok()?;
            if self.script.piece_bytes.is_some() {
                tokio::task::yield_now().await;
            }
        }
        Some(())
    }
}

fn header(frame_type: u8, length: u16, session: u32, counter: u64) -> Vec<u8> {
    Header { frame_type, flags: 0, length, session, counter }.encode().to_vec()
}

fn ack(counter: u64, revision: u64) -> Vec<u8> {
    let mut out = header(frame_type::ACK, 8, SESSION, counter);
    out.extend_from_slice(&revision.to_le_bytes());
    out
}

fn reject(counter: u64, status: u16, node: u32) -> Vec<u8> {
    let mut out = header(frame_type::REJECT, 8, SESSION, counter);
    out.extend_from_slice(&status.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out.extend_from_slice(&node.to_le_bytes());
    out
}
