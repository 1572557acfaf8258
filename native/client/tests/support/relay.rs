//! A path between one client and a server that can be cut.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::net::UdpSocket;

/// What the path lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Passes {
    Everything = 0,
    /// What the client sends arrives, and nothing comes back.
    Questions = 1,
    Nothing = 2,
}

/// A running relay; it ends with the runtime that it was started on.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    passes: Arc<AtomicU8>,
}

impl Relay {
    pub(crate) async fn start(server: SocketAddr) -> Relay {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        far.connect(server).await.unwrap();
        let relay = Relay { address: near.local_addr().unwrap(), passes: Arc::default() };
        tokio::spawn(carry(near, far, Arc::clone(&relay.passes)));
        relay
    }

    pub(crate) fn let_through(&self, passes: Passes) {
        self.passes.store(passes as u8, Ordering::Relaxed);
    }
}

async fn carry(near: UdpSocket, far: UdpSocket, passes: Arc<AtomicU8>) {
    let (mut from_client, mut from_server) = ([0; 2048], [0; 2048]);
    let mut client = None;
    loop {
        tokio::select! {
            Ok((bytes, address)) = near.recv_from(&mut from_client) => {
                client = Some(address);
                if passes.load(Ordering::Relaxed) != Passes::Nothing as u8 {
                    // What the system does not take is lost, as on any path.
                    let _ = far.send(&from_client[..bytes]).await;
                }
            }
            Ok(bytes) = far.recv(&mut from_server) => {
                if let Some(client) = client && passes.load(Ordering::Relaxed) == Passes::Everything as u8 {
                    let _ = near.send_to(&from_server[..bytes], client).await;
                }
            }
        }
    }
}
