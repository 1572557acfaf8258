//! Who may begin a handshake: new connections are the first thing an overloaded server does without.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lodestone_memory::CounterId;
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use crate::connection;
use crate::dock::Noted;
use crate::limits::{Addresses, OverLimit};
use crate::overload::{newcomers_enter, newcomers_wait};
use crate::plane::Plane;
use crate::quic::{Acceptor, Attempt, Connection, Turns, Verdict};
use crate::session::now_unix_ms;

/// Between two handshakes that begin while packets come faster than they are handled: a hundred a second.
pub(crate) const OVERLOADED_INTERVAL_NS: u64 = 10_000_000;

/// The table of addresses, for the driver that lets connections in and the sessions that end.
pub(crate) struct AddressGate {
    addresses: Mutex<Addresses>,
    /// Connections from this machine are limited like all others.
    limit_loopback: bool,
}

impl AddressGate {
    pub(crate) fn new(addresses: Addresses, limit_loopback: bool) -> AddressGate {
        AddressGate { addresses: Mutex::new(addresses), limit_loopback }
    }

    fn addresses(&self) -> MutexGuard<'_, Addresses> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, address: SocketAddr, now_ns: u64) -> Result<(), OverLimit> {
        if self.is_exempt(address) { Ok(()) } else { self.addresses().enter(address, now_ns) }
    }

    fn leave(&self, address: SocketAddr) {
        if !self.is_exempt(address) {
            self.addresses().leave(address);
        }
    }

    fn is_exempt(&self, address: SocketAddr) -> bool {
        !self.limit_loopback && address.ip().to_canonical().is_loopback()
    }
}

/// What a connection holds until nothing of it is left, which is up to three seconds after its end: its place among all
/// and its count among those of its address. Given back when it is dropped.
pub(crate) struct Place {
    plane: Arc<Plane>,
    address: SocketAddr,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.plane.address_gate.leave(self.address);
    }
}

/// Held by the tasks of a connection: the server's end waits until all are dropped.
pub(crate) struct Running {
    _permit: OwnedSemaphorePermit,
}

/// What comes back with an accepted connection.
type Ticket = (Running, Handshake);

/// A handshake under way, counted until it is dropped.
pub(crate) struct Handshake(Arc<Plane>);

impl Handshake {
    fn begin(plane: &Arc<Plane>) -> Handshake {
        plane.handshakes.fetch_add(1, Ordering::Relaxed);
        plane.counters.add(CounterId::HandshakesLive, 1);
        Handshake(Arc::clone(plane))
    }
}

impl Drop for Handshake {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
        self.0.counters.subtract(CounterId::HandshakesLive, 1);
    }
}

/// Judges attempts in the order of their price: what costs nothing to refuse is refused first.
pub(crate) struct Doorkeeper {
    pub(crate) plane: Arc<Plane>,
    pub(crate) runtime: Handle,
    /// Handshakes under way from which on an address must be proven.
    pub(crate) retry_handshakes: u64,
    /// Handshakes under way from which on attempts get no answer.
    pub(crate) handshakes_max: u64,
    /// While packets come faster than they are handled: when the next handshake may begin.
    pub(crate) overloaded_next_ns: u64,
    /// Nanoseconds from one of those to the next.
    pub(crate) overloaded_interval_ns: u64,
    /// Used again in every round.
    pub(crate) noted: Vec<Noted>,
    pub(crate) buffer: Vec<u8>,
}

impl Drop for Doorkeeper {
    fn drop(&mut self) {
        self.plane.dock.close();
    }
}

impl Doorkeeper {
    /// Newcomers stand back while there is too much to do, but nobody who floods can lock them out.
    fn may_begin_though_overloaded(&mut self) -> bool {
        let now_ns = self.plane.now_ns();
        let may = now_ns >= self.overloaded_next_ns;
        if may {
            self.overloaded_next_ns = now_ns + self.overloaded_interval_ns;
        }
        may
    }

    fn enter(&self, address: SocketAddr) -> Verdict<Place, Ticket> {
        let plane = &self.plane;
        let Ok(permit) = Arc::clone(&plane.places).try_acquire_owned() else {
            plane.counters.add(CounterId::ConnectionsRefused, 1);
            if let Some(held_back) = plane.told.refused.pass(now_unix_ms()) {
                tracing::warn!(held_back, "a connection was refused: transport.connections_max is reached");
            }
            return Verdict::Refuse;
        };
        if let Err(reason) = plane.address_gate.enter(address, plane.now_ns()) {
            tracing::debug!(%address, ?reason, "a limit of its address is reached");
            plane.counters.add(CounterId::ConnectionsLimited, 1);
            return Verdict::Refuse;
        }
        let Ok(running) = Arc::clone(&plane.running).try_acquire_owned() else {
            // Its tasks go on for a moment after a connection is forgotten.
            plane.address_gate.leave(address);
            plane.counters.add(CounterId::ConnectionsRefused, 1);
            return Verdict::Refuse;
        };
        let place = Place { plane: Arc::clone(plane), address, _permit: permit };
        Verdict::Accept(place, (Running { _permit: running }, Handshake::begin(plane)))
    }
}

impl Acceptor for Doorkeeper {
    type Place = Place;
    type Ticket = Ticket;

    fn judge(&mut self, attempt: Attempt) -> Verdict<Place, Ticket> {
        let plane = Arc::clone(&self.plane);
        let under_way = plane.handshakes.load(Ordering::Relaxed);
        let shed = || {
            newcomers_wait(&plane.told.newcomers, under_way);
            plane.counters.add(CounterId::ConnectionsShed, 1);
            Verdict::Ignore
        };
        if under_way >= self.handshakes_max {
            return shed();
        }
        // Before the few handshakes that begin under overload are counted, or forged addresses would use them up.
        if !attempt.proven && (attempt.overloaded || under_way >= self.retry_handshakes) {
            // With a threshold of none it is what was asked for.
            if attempt.overloaded || self.retry_handshakes > 0 {
                newcomers_wait(&plane.told.newcomers, under_way);
            }
            plane.counters.add(CounterId::ConnectionsRetried, 1);
            return Verdict::Retry;
        }
        if attempt.overloaded && !self.may_begin_though_overloaded() {
            return shed();
        }
        newcomers_enter(&plane.told.newcomers);
        self.enter(attempt.address)
    }

    fn accepted(&mut self, connection: Connection, (running, handshake): Ticket) {
        self.runtime.spawn(connection::run(Arc::clone(&self.plane), connection, running, handshake));
    }

    fn failed(&mut self, _ticket: Ticket) {
        self.plane.counters.add(CounterId::HandshakesFailed, 1);
    }

    fn round(&mut self, turns: &mut Turns) {
        self.plane.dock.flush();
        self.plane.dock.deliver(&mut self.noted, &mut self.buffer, turns);
    }
}
