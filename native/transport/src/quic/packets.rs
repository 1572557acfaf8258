//! Memory for received packets, used again as soon as nobody holds the packet any more.

use bytes::BytesMut;

/// Sizes that memory is kept in. A packet lies in one less than twice as large as itself (up from the smallest), so that a
/// client who makes the server keep packets makes it keep hardly more than it sent.
const SIZES: [usize; 6] = [64, 128, 256, 512, 1024, PACKET_BYTES_MAX];
/// Largest packet that is taken. Clients are told that 1,472 bytes are the most; larger ones would be kept whole for the sake
/// of a byte in them.
pub(super) const PACKET_BYTES_MAX: usize = 2048;

/// One piece of memory of each size.
#[derive(Debug, Default)]
pub(super) struct Packets {
    pieces: [BytesMut; SIZES.len()],
}

impl Packets {
    /// The packet in memory of its own: the piece that served last where it is free again, else a new one.
    pub(super) fn hold(&mut self, packet: &[u8]) -> BytesMut {
        let class = SIZES.iter().position(|size| packet.len() <= *size);
        let Some(class) = class else {
            debug_assert!(false, "larger packets are not taken");
            return BytesMut::from(packet);
        };
        let piece = &mut self.pieces[class];
        if !piece.try_reclaim(packet.len()) {
            *piece = BytesMut::with_capacity(SIZES[class].min(packet.len().next_power_of_two().max(SIZES[0])));
        }
        piece.extend_from_slice(packet);
        piece.split()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_once_the_packet_is_gone_and_never_before() {
        let mut packets = Packets::default();
        for bytes in [1, 63, 64, 65, 200, 1200, 1472, 2047, PACKET_BYTES_MAX] {
            let first: Vec<u8> = (0..bytes).map(|index| index as u8).collect();
            let held = packets.hold(&first);
            let meanwhile = packets.hold(&vec![0xaa; bytes]);
            assert_eq!((&held[..], &meanwhile[..]), (&first[..], &vec![0xaa; bytes][..]), "{bytes}");
            let place = meanwhile.as_ptr();
            drop((held, meanwhile));
            let mut again = packets.hold(&first);
            assert_eq!(again, first, "{bytes}");
            if bytes > 64 && !bytes.is_power_of_two() {
                assert_eq!(again.as_ptr(), place, "{bytes}");
            }
            // Parts of a packet keep it alive like the whole.
            let tail = again.split_off(bytes / 2);
            drop(again);
            packets.hold(&vec![0xbb; bytes]);
            assert_eq!(tail, first[bytes / 2..], "{bytes}");
        }
    }

    #[test]
    fn whoever_keeps_a_packet_keeps_less_than_twice_its_bytes() {
        for bytes in SIZES[0]..=PACKET_BYTES_MAX {
            let mut packets = Packets::default();
            drop(SIZES.map(|size| packets.hold(&vec![1; size])));
            let kept = [packets.hold(&vec![1; bytes]), packets.hold(&vec![1; bytes])];
            let class = SIZES.iter().position(|size| bytes <= *size).unwrap();
            let rest = packets.pieces[class].capacity();
            assert!(rest < bytes, "{bytes}: {rest} more");
            let [one, other] = kept.map(|packet| packet.as_ptr() as usize);
            assert!(one.abs_diff(other) >= bytes, "{bytes}");
        }
    }
}
