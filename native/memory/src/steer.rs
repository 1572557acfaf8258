//! Which of several sockets on one address the kernel gives a packet to. It is here because the call needs `unsafe`.

use std::io;
use std::os::fd::BorrowedFd;

/// Most sockets that can be told apart by one byte, with every one of them getting its share.
pub const SOCKETS_MAX: usize = 64;

/// Where the first byte of a QUIC packet's destination connection id lies: behind the first byte of a short header, and
/// behind first byte, version and length of a long one.
const SHORT_AT: u32 = 1;
const LONG_AT: u32 = 6;
/// The bit of a packet's first byte that a long header has.
const LONG_BIT: u32 = 0x80;

/// The socket, counted in the order of their binding, that gets packets to a destination connection id with this first
/// byte.
pub fn socket_of(first_byte: u8, sockets: usize) -> usize {
    usize::from(first_byte) % sockets
}

/// Has the kernel give each packet to the socket of its destination connection id (see [`socket_of`]), for all sockets
/// that share an address with this one. Of no use before a second one has been bound. A packet too short to have one
/// goes to the first.
///
/// # Errors
/// What the system says; it then goes on as before, by a hash of both addresses.
///
/// # Panics
/// When there are none or more than [`SOCKETS_MAX`].
pub fn steer_by_connection_id(socket: BorrowedFd<'_>, sockets: usize) -> io::Result<()> {
    assert!((1..=SOCKETS_MAX).contains(&sockets), "one byte is to tell them apart");
    attach(socket, &program(sockets as u32))
}

/// One instruction of a classic packet filter, as the kernel takes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    operand: u32,
}

const _: () = assert!(size_of::<Instruction>() == 8);

const LOAD_BYTE: u16 = 0x30;
const JUMP_IF_SET: u16 = 0x45;
const MODULO: u16 = 0x94;
const RETURN_ACCUMULATOR: u16 = 0x16;

/// It sees the packet from the first byte behind the UDP header on. A load beyond its end ends the program with 0.
fn program(sockets: u32) -> [Instruction; 7] {
    let plain = |code, operand| Instruction { code, jump_true: 0, jump_false: 0, operand };
    [
        plain(LOAD_BYTE, 0),
        Instruction { jump_false: 2, ..plain(JUMP_IF_SET, LONG_BIT) },
        plain(LOAD_BYTE, LONG_AT),
        Instruction { jump_true: 1, jump_false: 1, ..plain(JUMP_IF_SET, 0) },
        plain(LOAD_BYTE, SHORT_AT),
        plain(MODULO, sockets),
        plain(RETURN_ACCUMULATOR, 0),
    ]
}

#[cfg(target_os = "linux")]
fn attach(socket: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    use std::ffi::{c_int, c_void};
    use std::os::fd::AsRawFd;

    /// What the option takes.
    #[repr(C)]
    struct Program {
        length: u16,
        instructions: *const Instruction,
    }

    // The numbers of all architectures but MIPS, PA-RISC and SPARC, where the call fails.
    const SOL_SOCKET: c_int = 1;
    const SO_ATTACH_REUSEPORT_CBPF: c_int = 51;

    // SAFETY: the declaration is that of POSIX, whose socklen_t is 32 bits on Linux, and the standard library links the C library.
    unsafe extern "C" {
        fn setsockopt(socket: c_int, level: c_int, name: c_int, value: *const c_void, bytes: u32) -> c_int;
    }

    let option = Program { length: program.len() as u16, instructions: program.as_ptr() };
    let (value, bytes) = (std::ptr::from_ref(&option).cast(), size_of::<Program>() as u32);
    // SAFETY: the descriptor is open as long as it is borrowed; `value` points to `bytes` readable bytes, and the pointer
    // in them to `length` instructions, all of which outlive the call, after which the kernel has a copy.
    let answer = unsafe { setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, value, bytes) };
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
fn attach(_socket: BorrowedFd<'_>, _program: &[Instruction]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel's interpreter does with these instructions.
    fn run(program: &[Instruction], packet: &[u8]) -> u32 {
        let (mut accumulator, mut at) = (0_u32, 0);
        loop {
            let Instruction { code, jump_true, jump_false, operand } = program[at];
            at += 1;
            match code {
                LOAD_BYTE => match packet.get(operand as usize) {
                    Some(byte) => accumulator = u32::from(*byte),
                    None => return 0,
                },
                JUMP_IF_SET => at += usize::from(if accumulator & operand != 0 { jump_true } else { jump_false }),
                MODULO => accumulator %= operand,
                RETURN_ACCUMULATOR => return accumulator,
                _ => unreachable!("{code:#x}"),
            }
        }
    }

    #[test]
    fn both_headers_lead_to_the_socket_of_their_connection_id() {
        for sockets in 1..=SOCKETS_MAX {
            let program = program(sockets as u32);
            for byte in 0..=u8::MAX {
                let chosen = socket_of(byte, sockets) as u32;
                for first in [0x40, 0x7f, 0x00] {
                    assert_eq!(run(&program, &[first, byte, 9, 9, 9, 9, 9, 9]), chosen, "short, {sockets}");
                }
                for first in [0xc0, 0x80, 0xff] {
                    assert_eq!(run(&program, &[first, 9, 9, 9, 9, 8, byte, 9]), chosen, "long, {sockets}");
                }
            }
            for short in [&[][..], &[0x40], &[0xc0, 1, 2, 3, 4, 5]] {
                assert_eq!(run(&program, short), 0);
            }
        }
    }
}
