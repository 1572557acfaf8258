//! Several sockets on one address, a loop for each: how they are had, and which of them a connection belongs to.
//!
//! The first byte of a connection id names the socket, modulo their number. All ids that the server gives out are such,
//! and the id that a client makes up for its first packets is read the same way, so that what it sends again meets the
//! same socket. The kernel is given a program that reads that byte; a packet that it hands to another socket all the same
//! is passed on by the loop that finds it.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd;
use std::time::Duration;

use lodestone_memory::steer::{self, socket_of};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid, RandomConnectionIdGenerator};
use ring::hmac;
use socket2::{Domain, Protocol, Socket, Type};

use crate::error::TransportError;

/// Asked of the system for what each socket is to send; it may grant less.
const SEND_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// Binds `count` sockets to one address, or a single one where the system cannot tell them apart as it takes. Returns them
/// in the order of their numbers, with the address they have. Each is to hold so many bytes of packets that nobody has read
/// yet; the system may grant less.
///
/// The first one is bound alone, so that a port which another process holds, or another engine of this one, is refused
/// whatever options that one has. Only then may others share it: those below, and what this very user binds with the
/// same option in mind, for the system lets in nobody else.
pub(crate) fn open(
    address: SocketAddr,
    count: usize,
    receive_bytes: usize,
) -> Result<(Vec<UdpSocket>, SocketAddr), TransportError> {
    let failed = |source| TransportError::Bind { address, source };
    let first = open_one(address, receive_bytes)?;
    first.bind(&address.into()).map_err(failed)?;
    let first_std = UdpSocket::from(first.try_clone().map_err(failed)?);
    let bound = first_std.local_addr().map_err(failed)?;
    let mut sockets = vec![first_std];
    if count > 1 {
        match share(&first, bound, count, receive_bytes) {
            Ok(others) => sockets.extend(others),
            Err(error) => tracing::warn!(%error, count, "transport.sockets: the system gives one socket alone"),
        }
    }
    Ok((sockets, bound))
}

fn open_one(address: SocketAddr, receive_bytes: usize) -> Result<Socket, TransportError> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))
        .map_err(|source| TransportError::Bind { address, source })?;
    let sizes = [socket.set_recv_buffer_size(receive_bytes), socket.set_send_buffer_size(SEND_BUFFER_BYTES)];
    for error in sizes.into_iter().filter_map(Result::err) {
        tracing::debug!(%error, "the system grants no such socket buffer");
    }
    Ok(socket)
}

/// The further sockets on the address of the first.
fn share(first: &Socket, bound: SocketAddr, count: usize, receive_bytes: usize) -> std::io::Result<Vec<UdpSocket>> {
    first.set_reuse_port(true)?;
    let mut others = Vec::with_capacity(count - 1);
    for _ in 1..count {
        let socket = open_one(bound, receive_bytes).map_err(std::io::Error::other)?;
        socket.set_reuse_port(true)?;
        socket.bind(&bound.into())?;
        others.push(socket.into());
    }
    steer::steer_by_connection_id(first.as_fd(), count)?;
    Ok(others)
}

/// Bytes of an id that are by chance, the first of which leads to the socket: enough that ids never run out, however many
/// sockets share them. The protocol crate looks for a free one until it has found it.
const CHANCE_BYTES: usize = 7;
/// Bytes of the mark behind them: of as many packets that are not ours one passes for ours as there are marks.
const MARK_BYTES: usize = 5;
const ID_BYTES: usize = CHANCE_BYTES + MARK_BYTES;

/// Makes connection ids that lead to one socket.
pub(crate) struct SocketIds {
    chance: RandomConnectionIdGenerator,
    /// Whoever has it recognises the ids, also after a restart; without it the mark is by chance too.
    key: Option<hmac::Key>,
    socket: usize,
    sockets: usize,
}

impl SocketIds {
    /// For the socket of this number, of so many; `key`: what ids are recognised by.
    pub(crate) fn new(key: Option<hmac::Key>, socket: usize, sockets: usize) -> SocketIds {
        SocketIds { chance: RandomConnectionIdGenerator::new(ID_BYTES), key, socket, sockets }
    }
}

fn mark(key: &hmac::Key, chance: &[u8]) -> [u8; MARK_BYTES] {
    let signature = hmac::sign(key, chance);
    std::array::from_fn(|index| signature.as_ref()[index])
}

impl ConnectionIdGenerator for SocketIds {
    fn generate_cid(&mut self) -> ConnectionId {
        loop {
            // One of as many as there are sockets leads here; each costs some tens of nanoseconds.
            let id = self.chance.generate_cid();
            if socket_of(id[0], self.sockets) != self.socket {
                continue;
            }
            let Some(key) = &self.key else { return id };
            let chance = &id[..CHANCE_BYTES];
            return ConnectionId::new(&[chance, &mark(key, chance)].concat());
        }
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        let Some(key) = &self.key else { return Ok(()) };
        let (chance, found) = id.split_at_checked(CHANCE_BYTES).ok_or(InvalidCid)?;
        // Who guesses a mark byte by byte gains a stateless reset, of which there are so many a second at most.
        if found == mark(key, chance) { Ok(()) } else { Err(InvalidCid) }
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The socket that a packet belongs to; a packet too short to say so belongs to the first.
pub(crate) fn owner_of(packet: &[u8], sockets: usize) -> usize {
    let is_long = packet.first().is_some_and(|byte| byte & 0x80 != 0);
    packet.get(if is_long { 6 } else { 1 }).map_or(0, |byte| socket_of(*byte, sockets))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet from any port whose connection id begins with this byte.
    fn packet(first: u8, byte: u8) -> [u8; 16] {
        let mut packet = [9; 16];
        packet[0] = first;
        packet[if first & 0x80 != 0 { 6 } else { 1 }] = byte;
        packet
    }

    #[test]
    fn the_kernel_asks_the_connection_id_and_not_the_sender() {
        for count in [2, 3, 4] {
            let (sockets, address) = open(SocketAddr::from(([127, 0, 0, 1], 0)), count, 1 << 20).unwrap();
            assert_eq!(sockets.len(), count, "this system shares an address as it takes");
            for socket in &sockets {
                socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            }
            for byte in 0..=u8::MAX {
                let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
                for first in [0x40, 0xc0] {
                    let sent = packet(first, byte);
                    sender.send_to(&sent, address).unwrap();
                    let mut received = [0; 64];
                    let owner = owner_of(&sent, count);
                    let bytes =
                        sockets[owner].recv(&mut received).unwrap_or_else(|error| panic!("{byte} of {count}: {error}"));
                    assert_eq!(received[..bytes], sent, "{byte} of {count}");
                }
            }
        }
    }

    fn key(number: u8) -> Option<hmac::Key> {
        Some(hmac::Key::new(hmac::HMAC_SHA256, &[number; 32]))
    }

    #[test]
    fn every_id_leads_to_its_socket_and_only_the_key_recognises_it() {
        for sockets in [1, 2, 3, 4, 7, 64] {
            for socket in 0..sockets {
                let mut keyed = SocketIds::new(key(5), socket, sockets);
                let mut random = SocketIds::new(None, socket, sockets);
                for _ in 0..50 {
                    let (one, other) = (keyed.generate_cid(), random.generate_cid());
                    assert_eq!((one.len(), other.len()), (ID_BYTES, ID_BYTES));
                    assert_eq!((keyed.cid_len(), random.cid_len()), (ID_BYTES, ID_BYTES));
                    for id in [&one, &other] {
                        let short = [&[0x40][..], &id[..]].concat();
                        let long = [&[0xc0, 0, 0, 0, 1, 8][..], &id[..]].concat();
                        assert_eq!((owner_of(&short, sockets), owner_of(&long, sockets)), (socket, socket));
                    }
                    let elsewhere = SocketIds::new(key(5), (socket + 1) % sockets, sockets);
                    assert!(elsewhere.validate(&one).is_ok(), "the key is that of all sockets");
                    assert!(SocketIds::new(key(6), socket, sockets).validate(&one).is_err());
                }
            }
        }
    }

    #[test]
    fn a_changed_or_cut_id_is_not_recognised() {
        let mut ids = SocketIds::new(key(5), 1, 4);
        let id = ids.generate_cid();
        assert!(ids.validate(&id).is_ok());
        for bit in 0..ID_BYTES * 8 {
            let mut changed = id.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(ids.validate(&ConnectionId::new(&changed)).is_err(), "bit {bit} of {id}");
        }
        for bytes in 0..ID_BYTES {
            assert!(ids.validate(&ConnectionId::new(&id[..bytes])).is_err(), "{bytes} bytes of {id}");
        }
    }

    /// Of three bytes by chance two would be the same within the first few thousand.
    #[test]
    fn ids_are_too_many_to_run_out() {
        for key in [key(5), None] {
            let mut ids = SocketIds::new(key, 3, 4);
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..20_000 {
                let id = ids.generate_cid();
                assert!(seen.insert(id[..CHANCE_BYTES].to_vec()), "twice: {id}");
            }
        }
    }
}
