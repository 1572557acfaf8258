//! Congestion control that steps aside for a connection's last packet.
//!
//! The protocol crate holds CONNECTION_CLOSE back like any packet while there is more to send than the path takes. The
//! acknowledgements that would make room are not read any more by then, so the client would find out by its idle time-out.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use quinn_proto::congestion::{Controller, ControllerFactory, Cubic, CubicConfig};
use quinn_proto::{Connection, RttEstimator};

/// Makes the controllers of a server's connections: CUBIC, until the connection is closed.
#[derive(Debug, Default)]
pub(crate) struct Congestion {
    cubic: Arc<CubicConfig>,
}

impl ControllerFactory for Congestion {
    fn build(self: Arc<Self>, now: Instant, mtu: u16) -> Box<dyn Controller> {
        let cubic = Cubic::new(Arc::clone(&self.cubic), now, mtu);
        Box::new(UntilClosed { cubic, closed: Arc::default() })
    }
}

#[derive(Clone, Debug)]
struct UntilClosed {
    cubic: Cubic,
    /// Shared by the copies that the protocol crate makes of a path's controller.
    closed: Arc<AtomicBool>,
}

/// Lets a closed connection send its last packet at once. It sends nothing else any more, so nothing congests the path.
pub(super) fn let_close_pass(protocol: &Connection) {
    if let Ok(controller) = protocol.congestion_state().clone_box().into_any().downcast::<UntilClosed>() {
        // Relaxed: whoever asks next holds the connection's lock, as the caller does.
        controller.closed.store(true, Ordering::Relaxed);
    }
}

impl Controller for UntilClosed {
    fn on_sent(&mut self, now: Instant, bytes: u64, last_packet_number: u64) {
        self.cubic.on_sent(now, bytes, last_packet_number);
    }

    fn on_ack(&mut self, now: Instant, sent: Instant, bytes: u64, app_limited: bool, rtt: &RttEstimator) {
        self.cubic.on_ack(now, sent, bytes, app_limited, rtt);
    }

    fn on_end_acks(&mut self, now: Instant, in_flight: u64, app_limited: bool, largest_acked: Option<u64>) {
        self.cubic.on_end_acks(now, in_flight, app_limited, largest_acked);
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, is_persistent_congestion: bool, lost_bytes: u64) {
        self.cubic.on_congestion_event(now, sent, is_persistent_congestion, lost_bytes);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.cubic.on_mtu_update(new_mtu);
    }

    /// A window beyond 32 bits has no pace either.
    fn window(&self) -> u64 {
        if self.closed.load(Ordering::Relaxed) { u64::MAX } else { self.cubic.window() }
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        self.cubic.initial_window()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
