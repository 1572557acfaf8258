//! The mapping itself: address space that, once taken, stays valid until the process ends.
//!
//! A Java reader holds plain addresses. So closing an engine never unmaps: [`retire`] puts fresh zero pages in the
//! same place, which gives the physical memory back and lets a late reader find zeros instead of a fault. What is lost
//! is address space alone, of which a process has 128 TiB. Of mappings it may have 65,530: so places are whole large pages,
//! as the kernel would align them, and those that were given back lie side by side and are one mapping to it.

use std::fs::File;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::mm::{MapFlags, ProtFlags};

/// Bytes of the smallest page of memory here; mappings are rounded up to it.
pub(crate) const MEMORY_PAGE_BYTES: usize = 4096;

/// Bytes of a large page, to which the kernel aligns mappings that are larger.
const PLACE_BYTES: usize = 2 << 20;

/// A range of this process's address space; `Copy`, since it is never unmapped.
#[derive(Clone, Copy)]
pub(crate) struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: a mapping is an address and a length that stay valid for the life of the process; all access to the memory
// goes through atomics.
unsafe impl Send for Mapping {}
// SAFETY: as for Send: shared access hands out atomics only.
unsafe impl Sync for Mapping {}

fn read_write() -> ProtFlags {
    ProtFlags::READ | ProtFlags::WRITE
}

impl Mapping {
    /// Maps `bytes` of zeroed memory that no other process sees.
    pub(crate) fn anonymous(bytes: usize, touch: bool) -> io::Result<Mapping> {
        let bytes = round_up(bytes)?;
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | if touch { MapFlags::POPULATE } else { MapFlags::empty() };
        let mapping = Mapping::place(bytes)?;
        // SAFETY: the range is the place just taken, which nothing else uses.
        unsafe { rustix::mm::mmap_anonymous(mapping.base.as_ptr().cast(), bytes, read_write(), flags) }?;
        Ok(mapping)
    }

    /// Maps the first `bytes` of the file, shared with every process that maps it.
    pub(crate) fn shared(file: &File, bytes: usize, touch: bool) -> io::Result<Mapping> {
        let bytes = round_up(bytes)?;
        let flags = MapFlags::SHARED | MapFlags::FIXED | if touch { MapFlags::POPULATE } else { MapFlags::empty() };
        let mapping = Mapping::place(bytes)?;
        // SAFETY: the range is the place just taken, which nothing else uses; the file's blocks were allocated by the
        // caller, so that no access can fail for want of space.
        unsafe { rustix::mm::mmap(mapping.base.as_ptr().cast(), bytes, read_write(), flags, file, 0) }?;
        Ok(mapping)
    }

    /// Takes addresses for `bytes`, and no memory. What fails later leaves them taken: they are nothing but addresses.
    fn place(bytes: usize) -> io::Result<Mapping> {
        let (place, flags) = (place_bytes(bytes)?, MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a null address lets the kernel choose a range that nothing else uses.
        let base = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), place, ProtFlags::empty(), flags) }?;
        let base = NonNull::new(base.cast()).ok_or_else(|| io::Error::other("the kernel mapped address zero"))?;
        Ok(Mapping { base, bytes })
    }

    /// First address, for Java.
    pub(crate) fn address(self) -> u64 {
        self.base.as_ptr().expose_provenance() as u64
    }

    /// Length in bytes.
    pub(crate) fn bytes(self) -> usize {
        self.bytes
    }

    /// The `count` words that begin `offset` bytes in.
    ///
    /// # Panics
    /// When the range leaves the mapping or is not aligned to 8: both come from our own layout arithmetic.
    pub(crate) fn words(self, offset: usize, count: usize) -> &'static [AtomicU64] {
        let end = count.checked_mul(8).and_then(|bytes| bytes.checked_add(offset));
        assert!(offset.is_multiple_of(8) && end.is_some_and(|end| end <= self.bytes), "words outside the mapping");
        // SAFETY: `offset` is at most `self.bytes`, so the result stays inside the same mapping.
        let first = unsafe { self.base.as_ptr().add(offset) };
        // SAFETY: `first` is 8-aligned (the base is page aligned), `count` words lie inside a mapping that is never
        // unmapped, any bit pattern is an AtomicU64, and all access, from either language, is atomic.
        unsafe { std::slice::from_raw_parts(first.cast::<AtomicU64>(), count) }
    }

    /// The same memory by halves of words. A half is used either this way or as part of its word, never both: mixed
    /// accesses of different width have no order between them.
    ///
    /// # Panics
    /// As [`Mapping::words`].
    pub(crate) fn halves(self, offset: usize, count: usize) -> &'static [AtomicU32] {
        let words = self.words(offset, count.div_ceil(2));
        // SAFETY: the words lie in a mapping that is never unmapped, `count` halves fit into them, a word is aligned
        // for a half, and any bit pattern is an AtomicU32.
        unsafe { std::slice::from_raw_parts(words.as_ptr().cast::<AtomicU32>(), count) }
    }

    /// Replaces the memory by fresh zero pages at the same address, to the end of its place.
    pub(crate) fn retire(self) -> io::Result<()> {
        let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
        let (base, bytes) = (self.base.as_ptr().cast(), place_bytes(self.bytes)?);
        // SAFETY: the range is exactly a place that this type took and nothing else lives in it; whoever still holds
        // words of it reads zeros from now on, which atomics allow.
        unsafe { rustix::mm::mmap_anonymous(base, bytes, read_write(), flags) }?;
        Ok(())
    }
}

fn round_up(bytes: usize) -> io::Result<usize> {
    whole(bytes, MEMORY_PAGE_BYTES)
}

fn place_bytes(bytes: usize) -> io::Result<usize> {
    whole(bytes, PLACE_BYTES)
}

fn whole(bytes: usize, page: usize) -> io::Result<usize> {
    bytes
        .max(1)
        .checked_next_multiple_of(page)
        .ok_or_else(|| io::Error::other("the region is larger than the address space"))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_retired_mapping_reads_zero_at_the_same_address() {
        let mapping = Mapping::anonymous(10_000, true).unwrap();
        let words = mapping.words(8, 100);
        words[99].store(7, Ordering::Relaxed);
        mapping.retire().unwrap();
        assert_eq!(words[99].load(Ordering::Relaxed), 0);
        words[99].store(8, Ordering::Relaxed);
    }

    #[test]
    fn thousands_of_retired_mappings_are_few_to_the_kernel() {
        let count = || std::fs::read_to_string("/proc/self/maps").unwrap().lines().count();
        let (before, bytes, file) = (count(), (3 << 20) + 4096, tempfile::tempfile().unwrap());
        file.set_len(bytes as u64).unwrap();
        for _ in 0..1_000 {
            Mapping::shared(&file, bytes, false).unwrap().retire().unwrap();
            Mapping::anonymous(bytes, false).unwrap().retire().unwrap();
        }
        // Other tests of this process map memory of their own meanwhile.
        assert!(count() < before + 500, "{before} before, {} now", count());
    }

    #[test]
    #[should_panic(expected = "words outside the mapping")]
    fn words_stay_inside() {
        Mapping::anonymous(4096, false).unwrap().words(8, 512);
    }
}
