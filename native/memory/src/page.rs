//! Bump pages: where ingress copies each packet once, and how a batch of them travels to the engine.
//!
//! The bump arena is cut into pages when the pool is made. A page is one [`bumpalo::Bump`] that may never take a second
//! chunk; it is owned by one task at a time, filled, sent, read, and given back when it is dropped. Giving back is
//! O(1): the bump pointer is reset, nothing is freed. With no page left, [`PagePool::try_take`] says so and the caller
//! stops reading; no page is ever made later.

use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bumpalo::Bump;

use crate::status::Status;
use crate::sync::AtomicU64 as SharedWord;

/// Most records in one page.
pub const PAGE_RECORDS_MAX: usize = 128;

/// Bytes of packets in one page. 128 packets of 64 bytes take half of it, and the largest packets (256 bytes) fill it
/// after 63 records; 64 MiB make 4,096 pages, so that thousands of connections can each have one under way.
pub const PAGE_BYTES: usize = 16 * 1024;

/// What a bump keeps for itself in each chunk (its footer and the allocator's header). Asking for less by this much
/// makes the chunk come out at [`PAGE_BYTES`]; asking for the whole would round it up by another 4 KiB.
const BUMP_OVERHEAD_BYTES: usize = 64;

/// What a record asks of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// Overwrite a slot and set an edge; the packet holds everything.
    Move,
    /// Give a node's slot back.
    Release,
    /// Find the shortest path from `node` to `argument`.
    Route,
    /// Read the slot of `node`.
    Read,
    /// The session `argument` wants to be told of the nodes in the packet, u32 each.
    Subscribe,
    /// As `Subscribe`, by datagrams.
    SubscribeLatest,
    /// The session `argument` wants to be told of the nodes in the packet no more; of none where there is no node.
    Unsubscribe,
    /// The application decides what the session `argument` is told: `node` is the command's type, the packet its body.
    Interest,
}

/// Everything about a record but its packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// What is asked.
    pub kind: RecordKind,
    /// The client wants an answer to exactly this record.
    pub ack_each: bool,
    /// What ingress found already: `Ok`, or `BadDigest`.
    pub status: Status,
    /// Tenant of the session's token, 0 without tokens.
    pub tenant: u32,
    /// First node the token may move (inclusive); 0 without tokens.
    pub node_first: u32,
    /// Last node the token may move (inclusive); `u32::MAX` without tokens.
    pub node_last: u32,
    /// The frame's counter, brought back with the answer.
    pub counter: u64,
    /// RELEASE and READ: the node. ROUTE: the source. MOVE: 0.
    pub node: u32,
    /// RELEASE and READ: the reserved word as received. ROUTE: the target. MOVE: 0.
    pub argument: u32,
}

/// A record as it lies in a page.
#[derive(Clone, Copy, Debug)]
pub struct Record<'page> {
    /// Kind, counter and rights.
    pub head: RecordHead,
    /// The packet of a MOVE as received; empty for other kinds.
    pub packet: &'page [u8],
}

/// The page holds [`PAGE_RECORDS_MAX`] records or has no room for this packet; nothing was pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFull;

impl fmt::Display for PageFull {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the bump page is full")
    }
}

impl std::error::Error for PageFull {}

/// Called after a page came back.
pub type ReturnHook = Arc<dyn Fn() + Send + Sync>;

struct Body {
    bump: Bump,
    heads: Vec<RecordHead>,
    packets: Vec<(NonNull<u8>, usize)>,
}

// SAFETY: the pointers in `packets` point into `bump`, which is owned by the same value and moves with it; `Bump` is
// `Send`, and no other thread holds a pointer into it.
unsafe impl Send for Body {}

impl Body {
    fn new(touch: bool) -> Option<Body> {
        let mut bump = Bump::try_with_capacity(PAGE_BYTES - BUMP_OVERHEAD_BYTES).ok()?;
        bump.set_allocation_limit(Some(bump.allocated_bytes()));
        if touch {
            bump.alloc_slice_fill_copy(bump.chunk_capacity(), 0_u8);
            bump.reset();
        }
        let (mut heads, mut packets) = (Vec::new(), Vec::new());
        heads.try_reserve_exact(PAGE_RECORDS_MAX).ok()?;
        packets.try_reserve_exact(PAGE_RECORDS_MAX).ok()?;
        Some(Body { bump, heads, packets })
    }

    fn reset(&mut self) {
        self.heads.clear();
        self.packets.clear();
        self.bump.reset();
    }
}

struct Shared {
    free: Mutex<Vec<Body>>,
    free_count: AtomicUsize,
    capacity: usize,
    on_return: OnceLock<ReturnHook>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<Body>> {
        // A push or pop of a Vec with reserved room cannot leave it half changed, so a poisoned lock is still good.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bump arena: a fixed number of pages. Cloning shares the pool; any thread may take and give back.
#[derive(Clone)]
pub struct PagePool {
    shared: Arc<Shared>,
}

impl PagePool {
    /// Takes `total_bytes` of memory, at least one page, and writes every byte once if `touch` is set, so that no page
    /// fault is left for later. `None` where the system has not that much memory.
    pub fn new(total_bytes: usize, touch: bool) -> Option<PagePool> {
        let capacity = (total_bytes / PAGE_BYTES).max(1);
        let mut free = Vec::new();
        free.try_reserve_exact(capacity).ok()?;
        for _ in 0..capacity {
            free.push(Body::new(touch)?);
        }
        let (free_count, on_return) = (AtomicUsize::new(capacity), OnceLock::new());
        Some(PagePool { shared: Arc::new(Shared { free: Mutex::new(free), free_count, capacity, on_return }) })
    }

    /// Number of pages there are.
    pub fn capacity(&self) -> usize {
        self.shared.capacity
    }

    /// Number of pages that could be taken now; a hint, since other threads take and give back meanwhile.
    pub fn free(&self) -> usize {
        self.shared.free_count.load(Ordering::Relaxed)
    }

    /// An empty page, or `None` while all are under way. The page used last comes first: its lines are in the cache.
    pub fn try_take(&self) -> Option<Page> {
        let body = self.shared.lock().pop()?;
        self.shared.free_count.fetch_sub(1, Ordering::Relaxed);
        Some(Page { body: Some(body), shared: Arc::clone(&self.shared) })
    }

    /// Sets what is called after each page that comes back. Only the first call counts; returns whether it was this.
    pub fn on_return(&self, hook: ReturnHook) -> bool {
        self.shared.on_return.set(hook).is_ok()
    }
}

/// One page, owned by whoever holds it; dropping it gives it back to its pool.
pub struct Page {
    body: Option<Body>,
    shared: Arc<Shared>,
}

impl Page {
    fn body(&self) -> &Body {
        match &self.body {
            Some(body) => body,
            None => unreachable!("a page has its body until it is dropped"),
        }
    }

    fn body_mut(&mut self) -> &mut Body {
        match &mut self.body {
            Some(body) => body,
            None => unreachable!("a page has its body until it is dropped"),
        }
    }

    /// Copies the packet into the page.
    ///
    /// # Errors
    /// [`PageFull`] when there is no room; the page is as before.
    pub fn push(&mut self, head: RecordHead, packet: &[u8]) -> Result<(), PageFull> {
        let body = self.body_mut();
        if body.heads.len() == PAGE_RECORDS_MAX {
            return Err(PageFull);
        }
        let copy = body.bump.try_alloc_slice_copy(packet).map_err(|_| PageFull)?;
        body.packets.push((NonNull::from(&mut *copy).cast(), copy.len()));
        body.heads.push(head);
        Ok(())
    }

    /// Copies a packet of `bytes` out of shared words into the page, each word once.
    ///
    /// # Errors
    /// [`PageFull`] when there is no room; the page is as before.
    ///
    /// # Panics
    /// When there are fewer words than that.
    pub(crate) fn push_words(&mut self, head: RecordHead, words: &[SharedWord], bytes: usize) -> Result<(), PageFull> {
        let body = self.body_mut();
        if body.heads.len() == PAGE_RECORDS_MAX {
            return Err(PageFull);
        }
        let words = &words[..bytes.div_ceil(8)];
        let copy = body.bump.try_alloc_slice_fill_with(words.len(), |index| words[index].load(Relaxed).to_le());
        let copy = copy.map_err(|_| PageFull)?;
        body.packets.push((NonNull::from(&mut *copy).cast(), bytes));
        body.heads.push(head);
        Ok(())
    }

    /// Whether a packet of so many bytes could be pushed.
    pub fn has_room(&self, bytes: usize) -> bool {
        let body = self.body();
        body.heads.len() < PAGE_RECORDS_MAX && body.bump.chunk_capacity() >= bytes
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.body().heads.len()
    }

    /// Whether there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The record at `index`, in the order pushed.
    ///
    /// # Panics
    /// When `index` is not below [`Page::len`].
    pub fn record(&self, index: usize) -> Record<'_> {
        let body = self.body();
        let (start, bytes) = body.packets[index];
        // SAFETY: `start` and `bytes` lie in a slice that `push` or `push_words` got from this page's bump; it is reset
        // only when the page is dropped, and `&self` keeps the page alive and unchanged for the record's lifetime.
        let packet = unsafe { std::slice::from_raw_parts(start.as_ptr(), bytes) };
        Record { head: body.heads[index], packet }
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if let Some(mut body) = self.body.take() {
            body.reset();
            self.shared.lock().push(body);
            self.shared.free_count.fetch_add(1, Ordering::Relaxed);
            if let Some(hook) = self.shared.on_return.get() {
                hook();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(counter: u64) -> RecordHead {
        RecordHead {
            kind: RecordKind::Move,
            ack_each: false,
            status: Status::Ok,
            tenant: 0,
            node_first: 0,
            node_last: u32::MAX,
            counter,
            node: 0,
            argument: 0,
        }
    }

    #[test]
    fn records_come_back_as_pushed_and_pages_are_reused() {
        let pool = PagePool::new(2 * PAGE_BYTES, true).unwrap();
        assert_eq!((pool.capacity(), pool.free()), (2, 2));
        for round in 0..100_u8 {
            let mut page = pool.try_take().unwrap();
            for index in 0..PAGE_RECORDS_MAX {
                page.push(head(index as u64), &[round; 64]).unwrap();
            }
            assert!(!page.has_room(0));
            assert_eq!(page.push(head(0), &[]), Err(PageFull));
            for index in 0..PAGE_RECORDS_MAX {
                assert_eq!(page.record(index).head.counter, index as u64);
                assert_eq!(page.record(index).packet, &[round; 64]);
            }
        }
        assert_eq!(pool.free(), 2);
    }

    #[test]
    fn a_page_never_grows_beyond_its_bytes() {
        let pool = PagePool::new(1, false).unwrap();
        let mut page = pool.try_take().unwrap();
        let mut push = |_: &usize| {
            let has_room = page.has_room(256);
            assert_eq!(page.push(head(0), &[7; 256]).is_ok(), has_room);
            has_room
        };
        let pushed = (0..PAGE_RECORDS_MAX).take_while(&mut push).count();
        assert!((60..=66).contains(&pushed), "{pushed} packets of 256 bytes in 16 KiB");
        assert_eq!(page.len(), pushed);
    }

    #[test]
    fn an_empty_pool_says_so_and_tells_when_a_page_is_back() {
        let pool = PagePool::new(PAGE_BYTES, false).unwrap();
        let returns = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&returns);
        assert!(pool.on_return(Arc::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
        })));
        let page = pool.try_take().unwrap();
        assert!(pool.try_take().is_none());
        drop(page);
        assert_eq!(returns.load(Ordering::Relaxed), 1);
        assert!(pool.try_take().is_some());
    }
}
