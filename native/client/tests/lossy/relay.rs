//! A UDP relay that does to datagrams what networks do, by a seed: loses them, doubles them, lets one overtake another,
//! holds them back, and changes the address that the server sees.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

/// Datagrams on their way, at most; one more is lost, as in a router whose queue is full.
const WAITING_MAX: usize = 4_096;
/// Longest datagram.
const DATAGRAM_BYTES: usize = 65_535;
/// What a datagram that was chosen to be overtaken waits more than its followers, in microseconds.
const OVERTAKEN_US: u64 = 3_000;

/// What befalls the datagrams of one direction; shares are in percent of all datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) overtaken: u64,
    /// Each datagram waits up to so long, evenly spread; what waits longer is overtaken, too.
    pub(crate) delay_max_us: u64,
}

/// What the relay did, in both directions together.
#[derive(Debug, Default)]
pub(crate) struct Deeds {
    pub(crate) passed: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) doubled: AtomicU64,
    pub(crate) overtaken: AtomicU64,
    pub(crate) moved: AtomicU64,
}

/// A path between one client socket and the server. Ends when dropped.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) deeds: Arc<Deeds>,
    task: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }
}

impl Relay {
    /// Opens a path to the server. `moved_every`: after so many datagrams of the client it comes from another port.
    pub(crate) async fn start(
        server: SocketAddr,
        to_server: Faults,
        to_client: Faults,
        moved_every: Option<u64>,
        seed: u64,
    ) -> Relay {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = front.local_addr().unwrap();
        let deeds = Arc::new(Deeds::default());
        let path = Path {
            server,
            client: None,
            back: bind_towards(server).await,
            front,
            to_server,
            to_client,
            moved_every,
            seen: 0,
            random: Random(seed),
            order: 0,
            waiting: BinaryHeap::new(),
            deeds: deeds.clone(),
        };
        Relay { address, deeds, task: tokio::spawn(path.run()) }
    }
}

async fn bind_towards(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.connect(server).await.unwrap();
    socket
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    ToServer,
    ToClient,
}

/// Due at, place among those due at the same time, where to, bytes.
type Waiting = Reverse<(Instant, u64, Direction, Vec<u8>)>;

struct Path {
    server: SocketAddr,
    client: Option<SocketAddr>,
    front: UdpSocket,
    back: UdpSocket,
    to_server: Faults,
    to_client: Faults,
    moved_every: Option<u64>,
    seen: u64,
    random: Random,
    order: u64,
    waiting: BinaryHeap<Waiting>,
    deeds: Arc<Deeds>,
}

impl Path {
    async fn run(mut self) {
        let mut from_client = vec![0; DATAGRAM_BYTES];
        let mut from_server = vec![0; DATAGRAM_BYTES];
        loop {
            let next = self.waiting.peek().map(|Reverse((due, ..))| *due);
            tokio::select! {
                received = self.front.recv_from(&mut from_client) => {
                    // An error here is the echo of a datagram that found nobody; the path stays.
                    if let Ok((bytes, client)) = received {
                        self.client = Some(client);
                        self.move_away().await;
                        self.admit(Direction::ToServer, &from_client[..bytes]);
                    }
                }
                received = self.back.recv(&mut from_server) => {
                    if let Ok(bytes) = received {
                        self.admit(Direction::ToClient, &from_server[..bytes]);
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => self.deliver().await,
            }
        }
    }

    async fn move_away(&mut self) {
        self.seen += 1;
        if self.moved_every.is_some_and(|every| self.seen.is_multiple_of(every)) {
            self.back = bind_towards(self.server).await;
            self.deeds.moved.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn chance(&mut self, percent: u64, counter: fn(&Deeds) -> &AtomicU64) -> bool {
        let happens = self.random.below(100) < percent;
        if happens {
            counter(&self.deeds).fetch_add(1, Ordering::Relaxed);
        }
        happens
    }

    fn admit(&mut self, direction: Direction, bytes: &[u8]) {
        let faults = match direction {
            Direction::ToServer => self.to_server,
            Direction::ToClient => self.to_client,
        };
        if self.chance(faults.lost, |deeds| &deeds.lost) {
            return;
        }
        let copies = 1 + usize::from(self.chance(faults.doubled, |deeds| &deeds.doubled));
        for _ in 0..copies {
            if self.waiting.len() == WAITING_MAX {
                self.deeds.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let mut wait_us = self.random.below(faults.delay_max_us + 1);
            if self.chance(faults.overtaken, |deeds| &deeds.overtaken) {
                wait_us += OVERTAKEN_US;
            }
            self.order += 1;
            let due = Instant::now() + Duration::from_micros(wait_us);
            self.waiting.push(Reverse((due, self.order, direction, bytes.to_vec())));
        }
    }

    async fn deliver(&mut self) {
        while let Some(Reverse((due, ..))) = self.waiting.peek()
            && *due <= Instant::now()
        {
            let Some(Reverse((_, _, direction, bytes))) = self.waiting.pop() else { return };
            let sent = match (direction, self.client) {
                (Direction::ToServer, _) => self.back.send(&bytes).await,
                (Direction::ToClient, Some(client)) => self.front.send_to(&bytes, client).await,
                (Direction::ToClient, None) => continue,
            };
            if sent.is_ok() {
                self.deeds.passed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
