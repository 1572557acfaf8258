//! Varints, the checksum, and a reader that cannot run past its end.

use crate::MapError;

/// Bytes of the longest varint: 35 bits hold the zigzag form of every difference of two u32.
pub(crate) const VARINT_BYTES_MAX: usize = 5;

pub(crate) fn fnv1a_64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn push_signed(out: &mut Vec<u8>, value: i64) {
    push_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Reads front to back; every failure names the offset at which the value began.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], MapError> {
        let cut_off = MapError::CutOff { offset: self.offset };
        let end = self.offset.checked_add(count).ok_or(cut_off.clone())?;
        let taken = self.bytes.get(self.offset..end).ok_or(cut_off)?;
        self.offset = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], MapError> {
        let offset = self.offset;
        self.take(N)?.try_into().map_err(|_| MapError::CutOff { offset })
    }

    pub(crate) fn u8(&mut self) -> Result<u8, MapError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, MapError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, MapError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn varint(&mut self) -> Result<u64, MapError> {
        let start = self.offset;
        let mut value = 0;
        for position in 0..VARINT_BYTES_MAX {
            let byte = self.u8().map_err(|_| MapError::CutOff { offset: start })?;
            value |= u64::from(byte & 0x7f) << (7 * position);
            if byte & 0x80 == 0 {
                let shortest = position == 0 || byte != 0;
                return if shortest { Ok(value) } else { Err(MapError::Varint { offset: start }) };
            }
        }
        Err(MapError::Varint { offset: start })
    }

    pub(crate) fn signed(&mut self) -> Result<i64, MapError> {
        let zigzag = self.varint()?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }
}
