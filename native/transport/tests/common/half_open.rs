//! Clients that begin handshakes and never go on.

use std::net::{Ipv4Addr, UdpSocket};

use lodestone_memory::CounterId;

use super::{Bench, client_config, until};

/// Handshakes that stay under way until they time out: what the server answers gets lost.
pub struct HalfOpen {
    _sockets: Vec<UdpSocket>,
}

impl HalfOpen {
    /// Begins that many, each from an address of its own, and waits until the server has them.
    pub async fn begin(bench: &Bench, count: u64) -> HalfOpen {
        // On a slow machine the first of them may have timed out before the last begins.
        let begun = || [CounterId::HandshakesLive, CounterId::HandshakesFailed].map(|id| bench.counters.get(id));
        let before: u64 = begun().iter().sum();
        let mut packets = Vec::new();
        for _ in 0..count {
            packets.push(first_packet(bench).await);
        }
        let mut sockets = Vec::new();
        for packet in packets {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.send_to(&packet, bench.server.local_address()).unwrap();
            sockets.push(socket);
        }
        until("all handshakes have begun", || begun().iter().sum::<u64>() >= before + count).await;
        HalfOpen { _sockets: sockets }
    }
}

/// What a real client sends first.
async fn first_packet(bench: &Bench) -> Vec<u8> {
    let catcher = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let config = client_config(bench.server.certificate_der(), b"lodestone/1", |_| {});
    let connecting = endpoint.connect_with(config, catcher.local_addr().unwrap(), "localhost").unwrap();
    let mut packet = vec![0; 2000];
    let (bytes, _) = catcher.recv_from(&mut packet).await.unwrap();
    drop(connecting);
    packet.truncate(bytes);
    packet
}
