//! The same frames over TLS 1.3 on TCP, for the peer that has no QUIC.

use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use crate::options::Options;
use crate::tls::Tls;
use crate::transport::{Event, Transport};

/// Plain bytes taken from TLS at once.
const READ_BYTES: usize = 64 * 1024;
/// Sockets that one wait tells of.
const EVENTS_MAX: usize = 256;

struct Link {
    stream: TcpStream,
    tls: ClientConnection,
    out: Vec<u8>,
    dirty: bool,
    connected: bool,
    /// The system asked to be told when the socket takes bytes again.
    wants_write: bool,
}

/// All connections.
pub(crate) struct Tcp {
    options: Options,
    config: std::sync::Arc<rustls::ClientConfig>,
    epoll: OwnedFd,
    links: Vec<Option<Link>>,
    dirty: Vec<usize>,
    plain: Vec<u8>,
    nowhere: Vec<u8>,
}

impl Tcp {
    /// No connection yet.
    pub(crate) fn new(options: &Options, tls: &Tls) -> Result<Tcp, String> {
        Ok(Tcp {
            options: options.clone(),
            config: tls.config.clone(),
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)
                .map_err(|error| format!("epoll: {error}"))?,
            links: Vec::new(),
            dirty: Vec::new(),
            plain: vec![0; READ_BYTES],
            nowhere: Vec::new(),
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

    fn flush(&mut self, tell: &mut dyn FnMut(usize, Event<'_>)) {
        for number in std::mem::take(&mut self.dirty) {
            let Some(link) = &mut self.links[number] else {
                continue;
            };
            link.dirty = false;
            if let Err(error) = link.write() {
                tell(number, Event::Lost(&error.to_string()));
                self.links[number] = None;
                continue;
            }
            self.watch(number);
        }
    }

    /// Asks to be told of room in a socket exactly as long as there is something to send.
    fn watch(&mut self, number: usize) {
        let Some(link) = &mut self.links[number] else {
            return;
        };
        if link.tls.wants_write() != link.wants_write {
            link.wants_write = link.tls.wants_write();
            let room = if link.wants_write {
                epoll::EventFlags::OUT
            } else {
                epoll::EventFlags::empty()
            };
            let data = epoll::EventData::new_u64(number as u64);
            // It can only fail for a socket that is gone, which the next read tells.
            let _ = epoll::modify(
                &self.epoll,
                &link.stream,
                data,
                epoll::EventFlags::IN | room,
            );
        }
    }

    fn receive(&mut self, number: usize, tell: &mut dyn FnMut(usize, Event<'_>)) {
        let Some(link) = &mut self.links[number] else {
            return;
        };
        let ended = match link.read(number, &mut self.plain, tell) {
            Ok(true) => Some("the server ended the connection".to_owned()),
            Ok(false) => None,
            Err(error) => Some(error.to_string()),
        };
        if let Some(reason) = ended {
            tell(number, Event::Lost(&reason));
            self.links[number] = None;
        }
    }
}

impl Transport for Tcp {
    fn open(&mut self) -> Result<usize, String> {
        let number = self.links.len();
        let failed = |error: String| format!("connection {number}: {error}");
        let stream =
            TcpStream::connect(self.options.target).map_err(|error| failed(error.to_string()))?;
        stream
            .set_nodelay(true)
            .and_then(|()| stream.set_nonblocking(true))
            .map_err(|error| failed(error.to_string()))?;
        let name = ServerName::try_from("localhost").map_err(|error| failed(error.to_string()))?;
        let tls = ClientConnection::new(self.config.clone(), name)
            .map_err(|error| failed(error.to_string()))?;
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&self.epoll, &stream, data, epoll::EventFlags::IN)
            .map_err(|error| failed(error.to_string()))?;
        self.links.push(Some(Link {
            stream,
            tls,
            out: Vec::new(),
            dirty: false,
            connected: false,
            wants_write: false,
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
                self.nowhere.clear();
                &mut self.nowhere
            }
        }
    }

    fn datagram(&mut self, _: usize, _: &[u8]) -> Result<(), String> {
        Err("TCP has no datagrams".into())
    }

    fn early_data(&self) -> u64 {
        0
    }

    fn turn(
        &mut self,
        until: Instant,
        tell: &mut dyn FnMut(usize, Event<'_>),
    ) -> Result<(), String> {
        self.flush(tell);
        let wait = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: wait.as_secs() as i64,
            tv_nsec: i64::from(wait.subsec_nanos()),
        };
        // epoll itself waits in whole milliseconds, which would make half of all moves late; poll does not.
        let _ = poll(
            &mut [PollFd::new(&self.epoll, PollFlags::IN)],
            Some(&timeout),
        );
        let mut space = [MaybeUninit::<epoll::Event>::uninit(); EVENTS_MAX];
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let ready: Vec<usize> = match epoll::wait(&self.epoll, &mut space, Some(&now)) {
            Ok((events, _)) => events
                .iter()
                .map(|event| event.data.u64() as usize)
                .collect(),
            Err(rustix::io::Errno::INTR) => Vec::new(),
            Err(error) => return Err(format!("epoll: {error}")),
        };
        for number in ready {
            self.receive(number, tell);
            self.mark(number);
        }
        Ok(())
    }

    fn close(&mut self, connection: usize) {
        if let Some(mut link) = self.links[connection].take() {
            link.tls.send_close_notify();
            // The farewell is best effort.
            let _ = link.tls.write_tls(&mut link.stream);
        }
    }

    fn close_all(&mut self) {
        for number in 0..self.links.len() {
            self.close(number);
        }
    }
}

impl Link {
    fn write(&mut self) -> io::Result<()> {
        if self.connected && !self.out.is_empty() {
            let taken = self.tls.writer().write(&self.out)?;
            self.out.drain(..taken);
        }
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// `true` at the end of the connection.
    fn read(
        &mut self,
        number: usize,
        plain: &mut [u8],
        tell: &mut dyn FnMut(usize, Event<'_>),
    ) -> io::Result<bool> {
        let ended = match self.tls.read_tls(&mut self.stream) {
            Ok(bytes) => bytes == 0,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error),
        };
        self.tls.process_new_packets().map_err(io::Error::other)?;
        if !self.connected && !self.tls.is_handshaking() {
            self.connected = true;
            tell(number, Event::Connected);
        }
        loop {
            match self.tls.reader().read(plain) {
                Ok(0) => return Ok(true),
                Ok(bytes) => tell(number, Event::Bytes(&plain[..bytes])),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(ended),
                Err(error) => return Err(error),
            }
        }
    }
}
