//! What the advisories of 2026 in quinn-proto let a stranger do, done to a running server over UDP: it goes on.
//!
//! The stranger is an honest client whose packets are changed in the last moment, before they are encrypted.

mod common;

use std::any::Any;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use common::{Bench, Client, tls_client, watched};
use lodestone_memory::CounterId;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::crypto::{
    ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
};
use quinn::{ConnectError, Connection, ConnectionError, ConnectionId, Endpoint, Side, TransportErrorCode};
use quinn_proto::TransportError;
use quinn_proto::transport_parameters::TransportParameters;

/// Changes the frames of a packet.
type Tamper = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

struct TamperedKey {
    inner: Box<dyn PacketKey>,
    tamper: Tamper,
}

impl PacketKey for TamperedKey {
    fn encrypt(&self, packet: u64, buffer: &mut [u8], header_bytes: usize) {
        let end = buffer.len() - self.inner.tag_len();
        (self.tamper)(&mut buffer[header_bytes..end]);
        self.inner.encrypt(packet, buffer, header_bytes);
    }

    fn decrypt(&self, packet: u64, header: &[u8], payload: &mut BytesMut) -> Result<(), CryptoError> {
        self.inner.decrypt(packet, header, payload)
    }

    fn tag_len(&self) -> usize {
        self.inner.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.inner.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.inner.integrity_limit()
    }
}

fn tampered(keys: Keys, tamper: &Tamper) -> Keys {
    let local = Box::new(TamperedKey { inner: keys.packet.local, tamper: Arc::clone(tamper) });
    Keys { packet: KeyPair { local, remote: keys.packet.remote }, ..keys }
}

struct TamperedSession {
    inner: Box<dyn Session>,
    tamper: Tamper,
}

impl Session for TamperedSession {
    fn initial_keys(&self, destination: &ConnectionId, side: Side) -> Keys {
        tampered(self.inner.initial_keys(destination, side), &self.tamper)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, buffer: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_handshake(buffer)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn write_handshake(&mut self, buffer: &mut Vec<u8>) -> Option<Keys> {
        self.inner.write_handshake(buffer).map(|keys| tampered(keys, &self.tamper))
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys()
    }

    fn is_valid_retry(&self, destination: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(destination, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}

struct Stranger {
    honest: Arc<QuicClientConfig>,
    tamper: Tamper,
}

impl ClientConfig for Stranger {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        parameters: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = Arc::clone(&self.honest).start_session(version, server_name, parameters)?;
        Ok(Box::new(TamperedSession { inner, tamper: Arc::clone(&self.tamper) }))
    }
}

async fn connect(bench: &Bench, tamper: Tamper) -> Result<Connection, ConnectionError> {
    let tls = tls_client(bench.server.certificate_der(), b"lodestone/1");
    let honest = Arc::new(QuicClientConfig::try_from(tls).unwrap());
    let config = quinn::ClientConfig::new(Arc::new(Stranger { honest, tamper }));
    let endpoint = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connecting = endpoint.connect_with(config, bench.server.local_address(), "localhost").unwrap();
    watched("the stranger's handshake", connecting).await
}

/// A variable-length integer and how many bytes it has.
fn varint(bytes: &[u8]) -> (u64, usize) {
    let length = 1 << (bytes[0] >> 6);
    let value = bytes[1..length].iter().fold(u64::from(bytes[0] & 0x3f), |value, byte| value << 8 | u64::from(*byte));
    (value, length)
}

/// The transport parameters whose value is one number: those of RFC 9000, of datagrams, and the least delay of an ACK.
const NUMBERS: [u64; 13] = [0x01, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0e, 0x20, 0xff04_de1b];

/// Where the value of a transport parameter begins and how long it is, in a ClientHello that has the extension (57) with it.
fn parameter(frames: &[u8], wanted: u64) -> Option<(usize, usize)> {
    let length_at = |at: usize| usize::from(frames[at + 2]) << 8 | usize::from(frames[at + 3]);
    let at = (0..frames.len().saturating_sub(4)).find(|at| {
        let ends_inside = (40..200).contains(&length_at(*at)) && at + 4 + length_at(*at) <= frames.len();
        frames[*at..].starts_with(&[0, 57]) && ends_inside
    })?;
    let (mut next, end) = (at + 4, at + 4 + length_at(at));
    while next < end {
        let (id, id_bytes) = varint(&frames[next..]);
        let (length, length_bytes) = varint(&frames[next + id_bytes..]);
        next += id_bytes + length_bytes;
        if id == wanted && length > 0 {
            return Some((next, length as usize));
        }
        next += length as usize;
    }
    assert_eq!(next, end, "the parameters fill their extension");
    None
}

/// RUSTSEC-2026-0037: a value that says it is longer than its parameter ended the task that serves all connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_off_transport_parameters_end_nothing_but_their_handshake() {
    let bench = Bench::start();
    let good = connect(&bench, Arc::new(|_| {})).await.unwrap();
    let mut refused = 0;
    for id in NUMBERS {
        let changed = Arc::new(AtomicU64::new(0));
        let changing = Arc::clone(&changed);
        let tamper: Tamper = Arc::new(move |frames| {
            if let Some((at, length)) = parameter(frames, id) {
                // Two bits say how long a number is: 8 bytes where there are fewer, 1 where there are 8.
                frames[at] = if length < 8 { frames[at] | 0xc0 } else { 0 };
                changing.store(1, Ordering::Relaxed);
            }
        });
        let outcome = connect(&bench, tamper).await;
        // A client leaves out what has its default.
        if changed.load(Ordering::Relaxed) == 1 {
            refused += 1;
            let Err(ConnectionError::ConnectionClosed(close)) = outcome else { panic!("parameter {id:#x}: no close") };
            assert_eq!(close.error_code, TransportErrorCode::TRANSPORT_PARAMETER_ERROR, "parameter {id:#x}");
        }
    }
    assert!(refused >= 6, "{refused} parameters were found in ClientHello");
    // A client that waits too long for the refusal sends its Initial again, which then fails once more.
    common::until("the refusals", || bench.counters.get(CounterId::HandshakesFailed) >= refused).await;
    let client = Client::welcomed(good, &[]).await;
    assert_ne!(client.session, bench.session().await.session, "old and new connections are served as ever");
}

/// The byte that the stranger's stream is full of, so that its packets are known.
const FILLING: u8 = 0xa5;
/// A STREAM frame with offset and length: type, stream 4, offset in 4 bytes, length 1, a byte.
const FRAGMENT_BYTES: usize = 8;

/// RUSTSEC-2026-0185: fragments of one byte with gaps between them were all kept, each with what it takes to keep it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_nothing_but_gaps_is_closed_and_others_go_on() {
    let bench = Bench::start();
    let other = bench.session().await;
    let sent = Arc::new(AtomicU64::new(0));
    let sending = Arc::clone(&sent);
    let tamper: Tamper = Arc::new(move |frames| {
        let filled = frames.iter().filter(|byte| **byte == FILLING).count();
        if filled < frames.len() / 2 || filled < 10 * FRAGMENT_BYTES {
            return;
        }
        // Behind the last whole fragment padding, which is 0, is left.
        frames.fill(0);
        for fragment in frames.chunks_exact_mut(FRAGMENT_BYTES) {
            // Every second byte, so that nothing ever joins.
            let offset = 2 * sending.fetch_add(1, Ordering::Relaxed) + 1;
            fragment[..2].copy_from_slice(&[0x0e, 4]);
            fragment[2..6].copy_from_slice(&[0x80, (offset >> 16) as u8, (offset >> 8) as u8, offset as u8]);
            fragment[6..].copy_from_slice(&[1, FILLING]);
        }
    });
    let stranger = Client::welcomed(connect(&bench, tamper).await.unwrap(), &[]).await;
    let (mut send, _receive) = stranger.stream().await;
    // As much as the stream's window takes; ended by the close at the latest.
    let _ = send.write_all(&[FILLING; 60_000]).await;
    match watched("the stranger's end", stranger.connection.closed()).await {
        ConnectionError::ConnectionClosed(close) => {
            assert_eq!(close.error_code, TransportErrorCode::INTERNAL_ERROR, "{close}");
        }
        // Where its close was lost, the server says to the next packet that it knows no such connection.
        ConnectionError::Reset => {}
        ended => panic!("the server did not close, but {ended}"),
    }
    let fragments = sent.load(Ordering::Relaxed);
    assert!(fragments > 1_000, "the server closed after {fragments} fragments");
    let mut again = other;
    again.send.write_all(&common::move_frame(0, again.session, 1, 3, b"as ever")).await.unwrap();
    common::until_acked(&mut again.receive, 1).await;
}
