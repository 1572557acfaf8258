//! QUIC connections, many on few sockets, driven by the caller's thread over `quinn-proto`.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::{
    ClientConfig, Connection, ConnectionHandle, DatagramEvent, Dir, Endpoint, EndpointConfig,
    Event as QuicEvent, StreamEvent, StreamId, TransportConfig, VarInt,
};
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::options::Options;
use crate::tls::Tls;
use crate::transport::{Event, Transport};

/// Datagrams that leave in one system call when a connection has more than one to send: what quinn itself takes.
const SEGMENTS_MAX: usize = 10;
/// Asked of the system for each direction of a socket.
const SOCKET_BUFFER_BYTES: usize = 4 << 20;
/// A received buffer holds as many datagrams as the system joins, of the largest size.
const RECEIVE_BYTES: usize = 65_535;

struct Port {
    socket: UdpSocket,
    state: UdpSocketState,
    endpoint: Endpoint,
    /// The connection behind each handle of the endpoint.
    connections: Vec<usize>,
}

struct Link {
    port: usize,
    handle: ConnectionHandle,
    connection: Connection,
    stream: Option<StreamId>,
    out: Vec<u8>,
    /// The instant that the timer heap knows of.
    armed: Option<Instant>,
    dirty: bool,
    /// QUIC takes no more bytes for now.
    blocked: bool,
    told_lost: bool,
}

/// All connections.
pub(crate) struct Quic {
    target: SocketAddr,
    config: ClientConfig,
    ports: Vec<Port>,
    links: Vec<Option<Link>>,
    dirty: Vec<usize>,
    timers: BinaryHeap<Reverse<(Instant, usize)>>,
    receive: Vec<u8>,
    send: Vec<u8>,
    early_data: u64,
}

impl Quic {
    /// Opens the sockets.
    pub(crate) fn new(options: &Options, tls: &Tls) -> Result<Quic, String> {
        let quic =
            QuicClientConfig::try_from(tls.config.clone()).map_err(|error| error.to_string())?;
        let mut config = ClientConfig::new(Arc::new(quic));
        let mut transport = TransportConfig::default();
        transport
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_idle_timeout(Some(VarInt::from_u32(60_000).into()))
            .keep_alive_interval(Some(Duration::from_secs(20)))
            .initial_rtt(Duration::from_millis(100))
            .mtu_discovery_config(None);
        config.transport_config(Arc::new(transport));
        let ports = (0..options.sockets)
            .map(|_| Port::open())
            .collect::<io::Result<Vec<_>>>();
        Ok(Quic {
            target: options.target,
            config,
            ports: ports.map_err(|error| format!("cannot open a socket: {error}"))?,
            links: Vec::new(),
            dirty: Vec::new(),
            timers: BinaryHeap::new(),
            receive: vec![0; BATCH_SIZE * RECEIVE_BYTES],
            send: Vec::with_capacity(RECEIVE_BYTES),
            early_data: 0,
        })
    }

    fn mark(&mut self, number: usize) {
        if let Some(link) = &mut self.links[number]
            && !link.dirty
        {
            link.dirty = true;
            self.dirty.push(number);
        }
    }

    /// Hands out what waits in every connection that something happened to.
    fn flush(&mut self) -> Result<(), String> {
        let now = Instant::now();
        for number in std::mem::take(&mut self.dirty) {
            let Some(link) = &mut self.links[number] else {
                continue;
            };
            link.dirty = false;
            link.write()?;
            let port = &mut self.ports[link.port];
            while let Some(transmit) = {
                self.send.clear();
                link.connection
                    .poll_transmit(now, SEGMENTS_MAX, &mut self.send)
            } {
                port.transmit(&transmit, &self.send)?;
            }
            while let Some(event) = link.connection.poll_endpoint_events() {
                let drained = event.is_drained();
                if let Some(event) = port.endpoint.handle_event(link.handle, event) {
                    link.connection.handle_event(event);
                }
                if drained {
                    self.links[number] = None;
                    break;
                }
            }
            self.arm(number);
        }
        Ok(())
    }

    fn arm(&mut self, number: usize) {
        let Some(link) = &mut self.links[number] else {
            return;
        };
        let Some(due) = link.connection.poll_timeout() else {
            return;
        };
        // An earlier entry is found in time and armed anew then: entries are few, and none is ever searched for.
        if link.armed.is_none_or(|armed| due < armed) {
            link.armed = Some(due);
            self.timers.push(Reverse((due, number)));
        }
    }

    fn wait(&mut self, until: Instant) -> Result<Vec<usize>, String> {
        let until = self
            .timers
            .peek()
            .map_or(until, |Reverse((due, _))| until.min(*due));
        let wait = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        let mut waiting: Vec<_> = self
            .ports
            .iter()
            .map(|port| PollFd::new(&port.socket, PollFlags::IN))
            .collect();
        match poll(&mut waiting, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(format!("poll: {error}")),
        }
        Ok(waiting
            .iter()
            .enumerate()
            .filter(|(_, one)| !one.revents().is_empty())
            .map(|(index, _)| index)
            .collect())
    }

    /// Takes one batch of datagrams, no more: answers must leave before the next.
    fn receive_batch(&mut self, index: usize, touched: &mut Vec<usize>) -> Result<(), String> {
        let port = &mut self.ports[index];
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let mut slices: Vec<_> = self
            .receive
            .chunks_exact_mut(RECEIVE_BYTES)
            .map(IoSliceMut::new)
            .collect();
        let count = match port
            .state
            .recv((&port.socket).into(), &mut slices, &mut meta)
        {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(format!("receiving: {error}")),
        };
        let now = Instant::now();
        for (place, one) in meta[..count].iter().enumerate() {
            let start = place * RECEIVE_BYTES;
            for datagram in self.receive[start..start + one.len].chunks(one.stride.max(1)) {
                let ecn = one
                    .ecn
                    .and_then(|found| quinn_proto::EcnCodepoint::from_bits(found as u8));
                let data = BytesMut::from(datagram);
                self.send.clear();
                match port
                    .endpoint
                    .handle(now, one.addr, one.dst_ip, ecn, data, &mut self.send)
                {
                    Some(DatagramEvent::ConnectionEvent(handle, event)) => {
                        let number = port.connections[handle.0];
                        if let Some(link) = &mut self.links[number] {
                            link.connection.handle_event(event);
                            touched.push(number);
                        }
                    }
                    Some(DatagramEvent::Response(transmit)) => {
                        port.transmit(&transmit, &self.send)?
                    }
                    Some(DatagramEvent::NewConnection(_)) | None => {}
                }
            }
        }
        Ok(())
    }

    fn run_timers(&mut self, touched: &mut Vec<usize>) {
        let now = Instant::now();
        while let Some(Reverse((due, number))) = self
            .timers
            .peek()
            .copied()
            .filter(|Reverse((due, _))| *due <= now)
        {
            self.timers.pop();
            let Some(link) = &mut self.links[number] else {
                continue;
            };
            if link.armed == Some(due) {
                link.armed = None;
            }
            if link.connection.poll_timeout().is_some_and(|due| due <= now) {
                link.connection.handle_timeout(now);
                touched.push(number);
            } else {
                self.arm(number);
            }
        }
    }

    fn tell_events(&mut self, number: usize, tell: &mut dyn FnMut(usize, Event<'_>)) {
        let Some(link) = &mut self.links[number] else {
            return;
        };
        while let Some(event) = link.connection.poll() {
            match event {
                QuicEvent::Connected => {
                    link.stream = link.connection.streams().open(Dir::Bi);
                    tell(number, Event::Connected);
                }
                QuicEvent::ConnectionLost { reason } if !link.told_lost => {
                    link.told_lost = true;
                    tell(number, Event::Lost(&reason.to_string()));
                }
                QuicEvent::Stream(StreamEvent::Readable { id }) => link.read(number, id, tell),
                QuicEvent::Stream(StreamEvent::Writable { .. }) => link.blocked = false,
                QuicEvent::DatagramReceived => {
                    while let Some(bytes) = link.connection.datagrams().recv() {
                        tell(number, Event::Datagram(&bytes));
                    }
                }
                _ => {}
            }
        }
    }
}

impl Transport for Quic {
    fn open(&mut self) -> Result<usize, String> {
        let number = self.links.len();
        let index = number % self.ports.len();
        let port = &mut self.ports[index];
        let (handle, connection) = port
            .endpoint
            .connect(
                Instant::now(),
                self.config.clone(),
                self.target,
                "localhost",
            )
            .map_err(|error| format!("connection {number}: {error}"))?;
        if port.connections.len() <= handle.0 {
            port.connections.resize(handle.0 + 1, usize::MAX);
        }
        port.connections[handle.0] = number;
        self.early_data += u64::from(connection.has_0rtt());
        self.links.push(Some(Link {
            port: index,
            handle,
            connection,
            stream: None,
            out: Vec::new(),
            armed: None,
            dirty: false,
            blocked: false,
            told_lost: false,
        }));
        self.mark(number);
        Ok(number)
    }

    fn out(&mut self, connection: usize) -> &mut Vec<u8> {
        self.mark(connection);
        match &mut self.links[connection] {
            Some(link) => &mut link.out,
            // Bytes for a connection that is over: the driver was told, and nobody reads them.
            None => {
                self.send.clear();
                &mut self.send
            }
        }
    }

    fn datagram(&mut self, connection: usize, bytes: &[u8]) -> Result<(), String> {
        let Some(link) = &mut self.links[connection] else {
            return Ok(());
        };
        // Where congestion leaves no room the oldest that waits makes place: nobody waits for an old move.
        let sent = link
            .connection
            .datagrams()
            .send(Bytes::copy_from_slice(bytes), true);
        sent.map_err(|error| format!("connection {connection}: a datagram: {error}"))?;
        self.mark(connection);
        Ok(())
    }

    fn early_data(&self) -> u64 {
        self.early_data
    }

    fn turn(
        &mut self,
        until: Instant,
        tell: &mut dyn FnMut(usize, Event<'_>),
    ) -> Result<(), String> {
        self.flush()?;
        let mut touched = Vec::new();
        for index in self.wait(until)? {
            self.receive_batch(index, &mut touched)?;
        }
        self.run_timers(&mut touched);
        for number in touched {
            self.tell_events(number, tell);
            self.mark(number);
        }
        Ok(())
    }

    fn close(&mut self, connection: usize) {
        if let Some(link) = &mut self.links[connection] {
            link.told_lost = true;
            link.out.clear();
            link.connection
                .close(Instant::now(), VarInt::from_u32(0), Bytes::new());
        }
        self.mark(connection);
    }

    fn close_all(&mut self) {
        for number in 0..self.links.len() {
            self.close(number);
        }
        // The farewell is best effort; the process ends next.
        let _ = self.flush();
    }
}

impl Link {
    fn write(&mut self) -> Result<(), String> {
        let Some(stream) = self.stream else {
            return Ok(());
        };
        if self.out.is_empty() || self.blocked || self.told_lost {
            return Ok(());
        }
        let mut written = 0;
        while written < self.out.len() {
            match self
                .connection
                .send_stream(stream)
                .write(&self.out[written..])
            {
                Ok(bytes) => written += bytes,
                Err(quinn_proto::WriteError::Blocked) => {
                    self.blocked = true;
                    break;
                }
                Err(_) if self.connection.is_closed() => break,
                Err(error) => return Err(format!("writing: {error}")),
            }
        }
        self.out.drain(..written);
        Ok(())
    }

    fn read(&mut self, number: usize, id: StreamId, tell: &mut dyn FnMut(usize, Event<'_>)) {
        let mut stream = self.connection.recv_stream(id);
        let Ok(mut chunks) = stream.read(true) else {
            return;
        };
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            tell(number, Event::Bytes(&chunk.bytes));
        }
        // Whether credit must be sent is asked of the connection at the next flush anyway.
        let _ = chunks.finalize();
    }
}

impl Port {
    fn open() -> io::Result<Port> {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
        // A smaller buffer than asked for is slower under bursts, never wrong.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let socket: UdpSocket = socket.into();
        socket.set_nonblocking(true)?;
        let state = UdpSocketState::new((&socket).into())?;
        let endpoint = Endpoint::new(
            Arc::new(EndpointConfig::default()),
            None,
            !state.may_fragment(),
            None,
        );
        Ok(Port {
            socket,
            state,
            endpoint,
            connections: Vec::new(),
        })
    }

    fn transmit(&self, transmit: &quinn_proto::Transmit, bytes: &[u8]) -> Result<(), String> {
        let datagrams = Transmit {
            destination: transmit.destination,
            ecn: transmit
                .ecn
                .and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
            contents: &bytes[..transmit.size],
            segment_size: transmit.segment_size,
            src_ip: transmit.src_ip,
        };
        match self.state.send((&self.socket).into(), &datagrams) {
            // On loopback a full send buffer means that the server's is full: the datagram is lost, as on a network.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                Err(format!("sending: {error}"))
            }
            _ => Ok(()),
        }
    }
}
