//! Large private memory: taken once, touched at once, in pages of 2 MiB where the system gives them.
//!
//! A change at a random place of a table of many hundred megabytes costs one cache line from memory and, with pages of
//! 4 KiB, nearly always a walk of the page table as well. Large pages save the walk. They are advised, never required:
//! a system that refuses gives small pages and the same results.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use rustix::mm::{Advice, MapFlags, ProtFlags};

use crate::mapping::MEMORY_PAGE_BYTES;

/// Bytes of a large page.
const HUGE_PAGE_BYTES: usize = 2 << 20;

/// Plain numbers: any bytes are a value, zeros among them.
///
/// # Safety
/// Every bit pattern must be a valid value, the type must have no padding and need no drop.
pub unsafe trait Plain: Copy {}

// SAFETY: an integer has no invalid bit pattern and no padding.
unsafe impl Plain for u64 {}

/// A slice of `count` items, all zero bytes at first, that this value owns.
pub struct HugeSlice<T: Plain> {
    /// What was mapped; the items begin inside it, at a multiple of the page size advised.
    mapped: NonNull<u8>,
    mapped_bytes: usize,
    first: NonNull<T>,
    count: usize,
    items: PhantomData<T>,
}

// SAFETY: the memory is private to this value, as that of a box would be, and the items are plain numbers.
unsafe impl<T: Plain> Send for HugeSlice<T> {}
// SAFETY: shared access reads only.
unsafe impl<T: Plain> Sync for HugeSlice<T> {}

impl<T: Plain> HugeSlice<T> {
    /// Takes and touches the memory; `None` where the system has not this much.
    pub fn new(count: usize) -> Option<HugeSlice<T>> {
        HugeSlice::reserve(count, count)
    }

    /// Takes the addresses for all items and touches the memory of the first ones only; that of the others is taken
    /// from the system, already zero, when they are first written. For a bound that hardly ever is reached. `None`
    /// where the system has not this much.
    pub fn reserve(count: usize, touched: usize) -> Option<HugeSlice<T>> {
        let bytes = count.max(1).checked_mul(size_of::<T>())?;
        let page = if bytes < HUGE_PAGE_BYTES { MEMORY_PAGE_BYTES } else { HUGE_PAGE_BYTES };
        let bytes = bytes.checked_next_multiple_of(page)?;
        // The kernel aligns to its small page; what is more than that is cut off in front.
        let mapped_bytes = bytes.checked_add(page - MEMORY_PAGE_BYTES)?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // What is not touched now may never be: the kernel then keeps no memory back for it.
        let flags = if touched < count { MapFlags::PRIVATE | MapFlags::NORESERVE } else { MapFlags::PRIVATE };
        // SAFETY: a null address lets the kernel choose a range that nothing else uses.
        let mapped = unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), mapped_bytes, access, flags) }.ok()?;
        let mapped = NonNull::new(mapped.cast::<u8>())?;
        let offset = mapped.as_ptr().align_offset(page);
        // SAFETY: the offset is at most `page` less one small page, since the base is aligned to small pages, and the
        // mapping is longer than `bytes` by that much.
        let first = unsafe { mapped.add(offset) };
        if page == HUGE_PAGE_BYTES {
            // Only advice: where large pages are switched off, small ones do.
            // SAFETY: the range lies inside the mapping just made.
            let _ = unsafe { rustix::mm::madvise(first.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
        }
        let mut slice = HugeSlice { mapped, mapped_bytes, first: first.cast(), count, items: PhantomData };
        slice.touch(touched.min(count));
        Some(slice)
    }

    /// Writes one item of every page that the first `touched` items lie in, so that no later write has to wait for it.
    fn touch(&mut self, touched: usize) {
        let step = (MEMORY_PAGE_BYTES / size_of::<T>()).max(1);
        self[..touched].iter_mut().step_by(step).for_each(|item| {
            let value = *item;
            // Hidden from the compiler, which would leave out a write that changes nothing.
            *item = std::hint::black_box(value);
        });
    }
}

impl<T: Plain> Deref for HugeSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `count` items lie inside the mapping, which is page aligned, zeroed at first (so every item is
        // initialised) and lives as long as `self`; nobody writes while `self` is borrowed shared.
        unsafe { std::slice::from_raw_parts(self.first.as_ptr(), self.count) }
    }
}

impl<T: Plain> DerefMut for HugeSlice<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and `self` is borrowed alone.
        unsafe { std::slice::from_raw_parts_mut(self.first.as_ptr(), self.count) }
    }
}

impl<T: Plain> Drop for HugeSlice<T> {
    fn drop(&mut self) {
        // SAFETY: exactly the range mapped in `new`; no borrow of the items outlives `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.mapped.as_ptr().cast(), self.mapped_bytes) };
        debug_assert!(unmapped.is_ok());
    }
}

/// Asks for the cache line of this item, which is going to be used soon. Changes nothing but time.
#[inline(always)]
pub fn prefetch<T>(item: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch never faults and SSE is part of every x86-64; the address is that of a live reference.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(item).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = item;
}

/// As [`prefetch`], for an item that is going to be written: no other processor keeps the line either.
#[inline(always)]
pub fn prefetch_to_write<T>(item: &T) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    {
        // SAFETY: a prefetch never faults and touches no register or flag; a processor that does not know this one takes it
        // for nothing. The compiler's own intrinsic falls back to a read unless it is told of a newer processor.
        unsafe {
            std::arch::asm!(
                "prefetchw byte ptr [{item}]",
                item = in(reg) std::ptr::from_ref(item),
                options(nostack, preserves_flags, readonly)
            );
        }
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = item;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_zero_aligned_and_writable_from_end_to_end() {
        for count in [0, 1, 511, 512, 513, 262_143, 262_144, 262_145, 800_000] {
            let mut words = HugeSlice::<u64>::new(count).unwrap();
            assert_eq!(words.len(), count);
            assert!(words.iter().all(|word| *word == 0), "{count} words");
            assert_eq!(words.as_ptr().addr() % MEMORY_PAGE_BYTES, 0);
            words.iter_mut().enumerate().for_each(|(index, word)| *word = index as u64);
            words.iter().for_each(prefetch);
            assert!(words.iter().enumerate().all(|(index, word)| *word == index as u64), "{count} words");
        }
        let mut words = HugeSlice::<u64>::reserve(1 << 24, 1_000).unwrap();
        (words[999], words[(1 << 24) - 1]) = (1, 2);
        assert_eq!((words[998], words[999], words[1_000], words[(1 << 24) - 1]), (0, 1, 0, 2));
        assert!(HugeSlice::<u64>::new(usize::MAX / 4).is_none());
        assert!(HugeSlice::<u64>::new(usize::MAX / 16).is_none());
    }
}
