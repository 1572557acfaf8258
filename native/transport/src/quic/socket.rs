//! The UDP socket: received in batches, sent with segmentation offload, never waited for.

use std::io::{self, IoSliceMut};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use quinn_proto::{EcnCodepoint, Transmit};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// What the system may hand over at once for one sender; it never joins packets to more than this.
const RECEIVE_BYTES: usize = 64 * 1024;
/// Packets of one connection that leave with one call. More would be one burst on the wire.
const SEGMENTS_MAX: usize = 10;
/// Between two warnings that the socket cannot be read.
const WARNING_INTERVAL: Duration = Duration::from_secs(1);

/// A non-blocking socket and the packet that the system did not take.
#[derive(Debug)]
pub(super) struct Socket {
    io: UdpSocket,
    udp: UdpSocketState,
    receive_buffer: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
    /// Waits until the system has room; while it does, nothing else is sent.
    waiting: Option<(Transmit, Vec<u8>)>,
    /// When a failure to receive was told last.
    warned: Option<Instant>,
}

impl Socket {
    /// Takes over a bound socket; must be called within a runtime.
    pub(super) fn new(socket: std::net::UdpSocket) -> io::Result<Socket> {
        let udp = UdpSocketState::new((&socket).into())?;
        let io = UdpSocket::from_std(socket)?;
        let receive_buffer = vec![0; RECEIVE_BYTES * BATCH_SIZE];
        let metas = [RecvMeta::default(); BATCH_SIZE];
        Ok(Socket { io, udp, receive_buffer, metas, waiting: None, warned: None })
    }

    /// Packets that may leave with one call, as of now: a system that turns out to take no more than one is asked for no
    /// more.
    pub(super) fn segments_max(&self) -> usize {
        self.udp.max_gso_segments().min(SEGMENTS_MAX)
    }

    /// Whether the system promises to send packets in one piece.
    pub(super) fn may_fragment(&self) -> bool {
        self.udp.may_fragment()
    }

    /// Receives what is there, at most one batch, and calls `take` for each run of packets from one sender. Returns the
    /// number of runs; 0 with the task to be woken when there is none.
    pub(super) fn receive(&mut self, context: &mut Context<'_>, mut take: impl FnMut(&RecvMeta, &[u8])) -> usize {
        loop {
            match self.io.poll_recv_ready(context) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => {
                    tracing::warn!(%error, "the UDP socket cannot be read");
                    return 0;
                }
                Poll::Pending => return 0,
            }
            let (io, udp, metas) = (&self.io, &self.udp, &mut self.metas);
            let mut chunks = self.receive_buffer.chunks_mut(RECEIVE_BYTES);
            let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            match io.try_io(Interest::READABLE, || udp.recv(io.into(), &mut buffers, metas)) {
                Ok(runs) => {
                    for (meta, buffer) in metas.iter().zip(&buffers).take(runs) {
                        take(meta, &buffer[..meta.len.min(RECEIVE_BYTES)]);
                    }
                    return runs;
                }
                // Nothing there after all, or an ICMP message about a former packet, which anybody can forge.
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::ConnectionReset) => {}
                Err(error) => {
                    if self.warned.is_none_or(|warned| warned.elapsed() >= WARNING_INTERVAL) {
                        self.warned = Some(Instant::now());
                        tracing::warn!(%error, "receiving from the UDP socket failed");
                    }
                    // The socket still counts as readable, so nothing else would.
                    context.waker().wake_by_ref();
                    return 0;
                }
            }
        }
    }

    /// Whether a packet waits for room in the system; the task is woken when there is some.
    pub(super) fn is_blocked(&mut self, context: &mut Context<'_>) -> bool {
        while let Some((transmit, bytes)) = self.waiting.take() {
            if !self.send(transmit, &bytes) && self.io.poll_send_ready(context).is_pending() {
                return true;
            }
        }
        false
    }

    /// Whether a packet waits for room in the system, as far as is known.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Sends, or keeps the packet until there is room: then `false`, and nothing more is to be sent.
    pub(super) fn send(&mut self, transmit: Transmit, bytes: &[u8]) -> bool {
        let sent = self.try_send(&transmit, bytes);
        if !sent {
            self.waiting = Some((transmit, bytes.to_vec()));
        }
        sent
    }

    /// Sends, or drops the packet where the system has no room; for answers that whoever asked will ask for again.
    pub(super) fn send_or_drop(&self, transmit: &Transmit, bytes: &[u8]) {
        let _ = self.try_send(transmit, bytes);
    }

    /// `false`: no room. Whatever else goes wrong is a packet lost on its way, which QUIC expects.
    fn try_send(&self, transmit: &Transmit, bytes: &[u8]) -> bool {
        let packet = quinn_udp::Transmit {
            destination: transmit.destination,
            ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
            contents: &bytes[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        let sent = self.io.try_io(Interest::WRITABLE, || self.udp.send((&self.io).into(), &packet));
        !matches!(sent, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// The mark of congestion in the terms of the protocol crate.
pub(super) fn ecn_of(meta: &RecvMeta) -> Option<EcnCodepoint> {
    meta.ecn.and_then(|ecn| EcnCodepoint::from_bits(ecn as u8))
}
