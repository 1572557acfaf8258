//! One connection on quiche, driven by the thread that asks.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use quiche::{Config, Connection, ConnectionId, RecvInfo};

use crate::served::Served;
use crate::wire::{Frame, kind, words};

/// Longest wait for anything that the server owes.
const ANSWER_WAIT: Duration = Duration::from_secs(90);
/// Between two looks at the clock.
const TURN: Duration = Duration::from_millis(20);
/// The stream of HELLO.
pub const FIRST_STREAM: u64 = 0;
/// The first stream that a server opens by itself, in one direction: that of updates.
pub const UPDATE_STREAM: u64 = 3;
const PACKET_BYTES: usize = 1350;

/// A connection, and what it has received.
pub struct Client {
    socket: UdpSocket,
    connection: Connection,
    received: HashMap<u64, Vec<u8>>,
    finished: Vec<u64>,
    /// The session's number, once welcomed.
    pub session: u32,
    counters: HashMap<u64, u64>,
}

impl Client {
    /// Connects; `ticket` is what an earlier connection was given.
    ///
    /// # Panics
    /// When the handshake fails.
    pub fn connect(server: &Served, ticket: Option<&[u8]>) -> Client {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.set_read_timeout(Some(TURN)).expect("a time-out");
        let local = socket.local_addr().expect("an address");
        let mut config = config(server);
        let random = RandomState::new();
        let id: Vec<u8> = [0_u8, 1].iter().flat_map(|half| random.hash_one(half).to_le_bytes()).collect();
        let id = ConnectionId::from_ref(&id);
        let mut connection =
            quiche::connect(Some("localhost"), &id, local, server.address, &mut config).expect("a connection");
        if let Some(ticket) = ticket {
            connection.set_session(ticket).expect("a ticket of this server");
        }
        let mut client = Client {
            socket,
            connection,
            received: HashMap::new(),
            finished: Vec::new(),
            session: 0,
            counters: HashMap::new(),
        };
        client.until("handshake", |client| client.connection.is_established().then_some(()));
        client
    }

    /// Connects and greets; the second value is WELCOME.
    pub fn welcomed(server: &Served, version: u16) -> (Client, Frame) {
        let mut client = Client::connect(server, None);
        let mut body = version.to_le_bytes().to_vec();
        body.extend_from_slice(&[0, 0]);
        client.ask(FIRST_STREAM, kind::HELLO, body);
        let welcome = client.frame(FIRST_STREAM);
        assert_eq!((welcome.kind, welcome.field(2, 2)), (kind::WELCOME, 0), "{welcome:?}");
        client.session = welcome.session;
        (client, welcome)
    }

    /// The counter that the next frame of the stream has to carry.
    pub fn next_counter(&mut self, stream: u64) -> u64 {
        let next = self.counters.entry(stream).or_default();
        *next += 1;
        *next - 1
    }

    /// Sends a frame with the stream's next counter, which it returns.
    pub fn ask(&mut self, stream: u64, kind: u8, body: Vec<u8>) -> u64 {
        let counter = self.next_counter(stream);
        let frame = Frame { kind, flags: 0, session: self.session, counter, body };
        self.send(stream, &frame.encode(), false);
        counter
    }

    /// The same for a body of numbers of four bytes.
    pub fn ask_words(&mut self, stream: u64, kind: u8, values: &[u32]) -> u64 {
        self.ask(stream, kind, words(values))
    }

    /// Sends bytes on a stream, all of them, and its end where that is asked for.
    pub fn send(&mut self, stream: u64, bytes: &[u8], fin: bool) {
        let mut sent = 0;
        self.until("room to send", |client| {
            match client.connection.stream_send(stream, &bytes[sent..], fin) {
                Ok(more) => sent += more,
                Err(quiche::Error::Done | quiche::Error::StreamLimit) => {}
                Err(error) => panic!("sending on stream {stream}: {error}"),
            }
            (sent == bytes.len()).then_some(())
        });
        self.flush();
    }

    /// Sends a datagram.
    pub fn send_datagram(&mut self, bytes: &[u8]) {
        self.connection.dgram_send(bytes).expect("the server takes datagrams");
        self.flush();
    }

    /// The next frame of a stream.
    pub fn frame(&mut self, stream: u64) -> Frame {
        self.until(&format!("frame on stream {stream}"), |client| {
            Frame::take(client.received.entry(stream).or_default())
        })
    }

    /// All frames of a stream up to the ACK that covers the counter; that one is the last.
    pub fn frames_to_ack(&mut self, stream: u64, counter: u64) -> Vec<Frame> {
        let mut frames = Vec::new();
        loop {
            frames.push(self.frame(stream));
            if frames.last().is_some_and(|last| last.kind == kind::ACK && last.counter >= counter) {
                return frames;
            }
        }
    }

    /// The next frame that is no ACK: the answer to a question behind moves.
    pub fn answer(&mut self, stream: u64) -> Frame {
        loop {
            let frame = self.frame(stream);
            if frame.kind != kind::ACK {
                return frame;
            }
        }
    }

    /// The next datagram.
    pub fn datagram(&mut self) -> Frame {
        let mut bytes = [0; PACKET_BYTES];
        let count = self.until("datagram", |client| client.connection.dgram_recv(&mut bytes).ok());
        let mut bytes = bytes[..count].to_vec();
        let frame = Frame::take(&mut bytes).expect("a whole frame");
        assert!(bytes.is_empty(), "more than a frame in a datagram");
        frame
    }

    /// Waits until the server has ended the stream.
    pub fn wait_finished(&mut self, stream: u64) {
        self.until("end of the stream", |client| client.finished.contains(&stream).then_some(()));
    }

    /// Waits until the server has closed the connection: its code and reason.
    pub fn wait_closed(&mut self) -> (u64, String) {
        self.until("end of the connection", |client| {
            let error = client.connection.peer_error()?;
            assert!(error.is_app, "closed by QUIC itself: {error:?}");
            Some((error.error_code, String::from_utf8_lossy(&error.reason).into_owned()))
        })
    }

    /// Waits for a ticket to come back with.
    pub fn ticket(&mut self) -> Vec<u8> {
        self.until("ticket", |client| client.connection.session().map(<[u8]>::to_vec))
    }

    /// Whether a ticket was taken, and whether bytes may be sent before the handshake is over.
    pub fn resumed(&self) -> (bool, bool) {
        (self.connection.is_resumed(), self.connection.is_in_early_data())
    }

    fn until<T>(&mut self, what: &str, mut done: impl FnMut(&mut Client) -> Option<T>) -> T {
        let deadline = Instant::now() + ANSWER_WAIT;
        loop {
            if let Some(found) = done(self) {
                return found;
            }
            let end = (self.connection.is_closed(), self.connection.peer_error(), self.connection.local_error());
            assert!(!end.0, "the connection ended before the {what}: {end:?}");
            assert!(Instant::now() < deadline, "no {what} within {ANSWER_WAIT:?}");
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.flush();
        let mut bytes = [0; 65_535];
        match self.socket.recv_from(&mut bytes) {
            Ok((count, from)) => {
                let to = self.socket.local_addr().expect("an address");
                // A packet that is no good is as good as lost.
                let _ = self.connection.recv(&mut bytes[..count], RecvInfo { from, to });
            }
            Err(_) if self.connection.timeout().is_some_and(|left| left.is_zero()) => self.connection.on_timeout(),
            Err(_) => {}
        }
        self.read();
        self.flush();
    }

    fn read(&mut self) {
        let mut bytes = [0; 16_384];
        for stream in self.connection.readable() {
            while let Ok((count, fin)) = self.connection.stream_recv(stream, &mut bytes) {
                self.received.entry(stream).or_default().extend_from_slice(&bytes[..count]);
                if fin {
                    self.finished.push(stream);
                    break;
                }
            }
        }
    }

    fn flush(&mut self) {
        let mut packet = [0; PACKET_BYTES];
        while let Ok((count, info)) = self.connection.send(&mut packet) {
            self.socket.send_to(&packet[..count], info.to).expect("a packet leaves");
        }
    }
}

fn config(server: &Served) -> Config {
    let mut config = Config::new(quiche::PROTOCOL_VERSION).expect("a configuration");
    config.set_application_protos(&[b"lodestone/1"]).expect("a name");
    let certificate = server.certificate.to_str().expect("a path that is text");
    config.load_verify_locations_from_file(certificate).expect("the server's certificate");
    config.verify_peer(true);
    config.set_max_idle_timeout(60_000);
    config.set_max_recv_udp_payload_size(PACKET_BYTES);
    config.set_max_send_udp_payload_size(PACKET_BYTES);
    config.set_initial_max_data(1 << 20);
    config.set_initial_max_stream_data_bidi_local(1 << 16);
    config.set_initial_max_stream_data_uni(1 << 16);
    // The stream of updates, and none besides.
    config.set_initial_max_streams_uni(1);
    config.enable_dgram(true, 64, 64);
    // Asked for, never granted.
    config.enable_early_data();
    config
}
