use std::net::{Ipv4Addr, SocketAddr};

use lodestone_memory::Counters;
use quinn_proto::{EndpointConfig, ServerConfig};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

use super::*;
use crate::config::{Certificate, ClientCertificates};
use crate::quic::test_support::{HANG, client_config};
use crate::quic::{Acceptor, Attempt, Connection, Endpoint, Turns, Verdict};
use crate::sockets::SocketIds;
use crate::tls::Identity;

const LOOPBACK: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

/// Takes everybody, at the socket of this number.
struct TakesAll(usize, mpsc::UnboundedSender<(usize, Connection)>);

impl Acceptor for TakesAll {
    type Place = ();
    type Ticket = ();

    fn judge(&mut self, _: Attempt) -> Verdict<(), ()> {
        Verdict::Accept((), ())
    }

    fn accepted(&mut self, connection: Connection, (): ()) {
        self.1.send((self.0, connection)).unwrap();
    }

    fn failed(&mut self, (): ()) {}

    fn round(&mut self, _: &mut Turns) {}
}

/// What a system would be that hands every packet to the first of two sockets, whoever it belongs to.
async fn hand_all_to_the_first(relay: UdpSocket, sockets: [SocketAddr; 2]) {
    let (mut client, mut bytes) = (None, vec![0; 65_536]);
    loop {
        let (count, from) = relay.recv_from(&mut bytes).await.unwrap();
        let from_server = sockets.contains(&from);
        if !from_server {
            client = Some(from);
        }
        let to = if from_server { client } else { Some(sockets[0]) };
        relay.send_to(&bytes[..count], to.unwrap()).await.unwrap();
    }
}

/// A self-signed server with a loop for each hub that is started.
struct Loops {
    identity: Identity,
    hubs: Vec<Hub>,
    connections: mpsc::UnboundedSender<(usize, Connection)>,
}

impl Loops {
    fn new(connections: mpsc::UnboundedSender<(usize, Connection)>) -> Loops {
        let (off, counters) = (ClientCertificates::Off, Counters::detached());
        let identity = Identity::load(&Certificate::SelfSigned, &off, LOOPBACK.0.into(), counters).unwrap();
        Loops { identity, hubs: vec![Hub::default(), Hub::default()], connections }
    }

    fn start(&self, number: usize) -> SocketAddr {
        let socket = std::net::UdpSocket::bind(LOOPBACK).unwrap();
        let address = socket.local_addr().unwrap();
        let mut config = EndpointConfig::default();
        config.cid_generator(move || Box::new(SocketIds::new(None, number, 2)));
        let server = ServerConfig::with_crypto(Arc::clone(&self.identity.crypto) as _);
        let seat = Seat { number, hubs: self.hubs.clone() };
        Endpoint::start(config, server, socket, seat, TakesAll(number, self.connections.clone())).unwrap();
        address
    }
}

#[tokio::test]
async fn strays_beyond_the_share_of_a_round_are_taken_without_another_call() {
    let (connections, _accepted) = mpsc::unbounded_channel();
    let loops = Loops::new(connections);
    let address = loops.start(0);
    let meta = quinn_udp::RecvMeta { addr: address, ..quinn_udp::RecvMeta::default() };
    let shared = &loops.hubs[0].0;
    shared.tell(|inbox| {
        inbox.strays.extend((0..STRAYS_MAX).map(|_| Stray { meta, packet: packet_for(0).to_vec() }));
    });
    let taken = async {
        while !shared.inbox().strays.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(HANG, taken).await.expect("hangs: strays");
}

#[tokio::test]
async fn a_packet_that_came_to_the_wrong_socket_is_passed_on() {
    let (connections, mut accepted) = mpsc::unbounded_channel();
    let loops = Loops::new(connections);
    let sockets = [loops.start(0), loops.start(1)];
    let relay = UdpSocket::bind(LOOPBACK).await.unwrap();
    let address = relay.local_addr().unwrap();
    tokio::spawn(hand_all_to_the_first(relay, sockets));

    let client = quinn::Endpoint::client(LOOPBACK.into()).unwrap();
    let mut served = [0; 2];
    while served.contains(&0) {
        let connecting = client.connect_with(client_config(&loops.identity), address, "localhost").unwrap();
        let _connected = tokio::time::timeout(HANG, connecting).await.expect("hangs: a handshake").unwrap();
        let (number, connection) = accepted.recv().await.unwrap();
        connection.established().await.unwrap();
        served[number] += 1;
    }
}

/// A packet with a short header whose connection id begins with this byte.
fn packet_for(byte: u8) -> [u8; 40] {
    let mut packet = [0x40; 40];
    packet[1] = byte;
    packet
}

fn seat(number: usize) -> Seat {
    Seat { number, hubs: vec![Hub::default(), Hub::default(), Hub::default()] }
}

#[test]
fn a_batch_is_handed_over_by_loop_and_a_round_takes_its_share() {
    let (seat, meta, mut strays) = (seat(0), quinn_udp::RecvMeta::default(), Strays::default());
    for byte in 0..=u8::MAX {
        let is_elsewhere = byte % 3 != 0;
        assert_eq!(seat.gather(&mut strays, &meta, &packet_for(byte)), is_elsewhere, "{byte}");
    }
    assert!(seat.hubs.iter().all(|hub| !hub.0.inbox().roused), "told once, with the whole batch");
    seat.hand_over(&mut strays);
    let roused: Vec<bool> = seat.hubs.iter().map(|hub| hub.0.inbox().roused).collect();
    assert_eq!(roused, [false, true, true]);
    for number in [1, 2] {
        let (mut taken, mut rounds) = (Vec::new(), 0);
        loop {
            let (before, left) = (taken.len(), seat.hubs[number].0.inbox().take_strays(&mut taken));
            assert!(taken.len() - before <= STRAYS_PER_ROUND);
            rounds += 1;
            if !left {
                break;
            }
        }
        let bytes: Vec<u8> = taken.iter().map(|stray| stray.packet[1]).collect();
        let expected: Vec<u8> = (0..=u8::MAX).filter(|byte| usize::from(byte % 3) == number).collect();
        assert_eq!((bytes, rounds), (expected, 2), "in their order");
    }
}

#[test]
fn strays_are_bounded_in_hand_and_where_they_wait() {
    let (seat, meta, mut strays) = (seat(0), quinn_udp::RecvMeta::default(), Strays::default());
    for _ in 0..3 {
        for _ in 0..=STRAYS_MAX {
            assert!(seat.gather(&mut strays, &meta, &packet_for(1)));
        }
        assert_eq!(strays.0[1].len(), STRAYS_MAX);
        seat.hand_over(&mut strays);
        assert_eq!((strays.0[1].len(), seat.hubs[1].0.inbox().strays.len()), (0, STRAYS_MAX));
    }
}

#[test]
fn a_loop_that_has_ended_gets_nothing_and_its_packets_are_handled_where_they_came() {
    let (seat, meta, mut strays) = (seat(0), quinn_udp::RecvMeta::default(), Strays::default());
    let ended = &seat.hubs[1].0;
    for _ in 0..2 {
        assert!(seat.gather(&mut strays, &meta, &packet_for(1)));
        seat.hand_over(&mut strays);
        // What waits goes, and what comes later does not stay.
        ended.abandon();
        assert_eq!(ended.inbox().strays.len(), 0);
        assert!(seat.gather(&mut strays, &meta, &packet_for(1)));
        seat.hand_over(&mut strays);
        assert_eq!((strays.0[1].len(), ended.inbox().strays.len()), (0, 0));
    }
    ended.finished.store(true, Ordering::Release);
    assert!(!seat.gather(&mut strays, &meta, &packet_for(1)));
    assert!(seat.gather(&mut strays, &meta, &packet_for(2)), "the third one runs");
}

#[tokio::test]
async fn clients_that_a_failed_loop_would_have_had_are_served_by_the_one_they_came_to() {
    let (connections, mut accepted) = mpsc::unbounded_channel();
    let loops = Loops::new(connections);
    loops.hubs[1].0.abandon();
    loops.hubs[1].0.finished.store(true, Ordering::Release);
    let address = loops.start(0);
    let client = quinn::Endpoint::client(LOOPBACK.into()).unwrap();
    // Each makes up an id that leads to the one or the other.
    for number in 0..20 {
        let connecting = client.connect_with(client_config(&loops.identity), address, "localhost").unwrap();
        let connected = tokio::time::timeout(HANG, connecting).await;
        let _connected = connected.unwrap_or_else(|_| panic!("hangs: handshake {number}")).unwrap();
        accepted.recv().await.unwrap().1.established().await.unwrap();
    }
}
