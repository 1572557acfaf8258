//! Where one loop hands moves over to the engine and takes answers back: once a round for all of its streams.
//!
//! What the streams of a round bring is gathered in one page and leaves when the loop comes round again, so that the
//! engine is woken once for all of it. The engine notes whose answers are there and rouses the loop once for all of them;
//! the loop then writes them to their streams itself, without a task in between.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lodestone_memory::{CounterId, Counters, Page, RecordHead};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Notify, mpsc};

use crate::answers::StreamAnswers;
use crate::datagram::DatagramAnswers;
use crate::fanout::Outbox;
use crate::overload::{falls_behind, keeps_up};
use crate::pages::Pages;
use crate::quic::{Hub, Turns};
use crate::sink::{AnswerSink, Batch, Run};

/// What a record has to wait for before it can be staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lack {
    /// An empty page.
    Page,
    /// Room in the channel.
    Channel,
}

/// The page in hand.
#[derive(Default)]
pub(crate) struct Stage {
    page: Option<Page>,
    runs: Vec<Run>,
    /// Frames and bytes that are not counted yet.
    frames: u64,
    bytes: u64,
    /// The loop has not been told of the first record yet.
    untold: bool,
    /// A task waits for room in the channel.
    waiting: bool,
    /// The loop has ended: nothing leaves any more.
    closed: bool,
}

impl Stage {
    /// Notes what a stream brought.
    pub(crate) fn count(&mut self, frames: u64, bytes: u64) {
        self.frames += frames;
        self.bytes += bytes;
    }

    /// Puts a record into the page, which has room for it: see [`Dock::make_room`].
    pub(crate) fn push(&mut self, answers: &Arc<StreamAnswers>, head: RecordHead, packet: &[u8]) {
        let Some(page) = &mut self.page else { return debug_assert!(false, "room was made before") };
        let pushed = page.push(head, packet);
        debug_assert!(pushed.is_ok(), "room was made before");
        let end = page.len();
        self.untold |= end == 1;
        match self.runs.last_mut() {
            Some(run) if std::ptr::addr_eq(Arc::as_ptr(&run.sink), Arc::as_ptr(answers)) => run.end = end,
            _ => self.runs.push(Run { end, sink: Arc::clone(answers) as Arc<dyn AnswerSink> }),
        }
    }

    /// What is staged, if anything.
    fn take(&mut self) -> Option<Batch> {
        let page = self.page.take_if(|page| !page.is_empty())?;
        let next = Vec::with_capacity(self.runs.len());
        Some(Batch::of_runs(page, std::mem::replace(&mut self.runs, next)))
    }
}

/// One loop's side of the channel to the engine.
pub(crate) struct Dock {
    hub: Hub,
    ingress: mpsc::Sender<Batch>,
    pages: Arc<Pages>,
    counters: Counters,
    stage: Mutex<Stage>,
    /// The stage has a new page, or was emptied after the channel had been full.
    room: Notify,
    /// `None`: the loop has ended.
    noted: Mutex<Option<Vec<Noted>>>,
}

/// Who has something for the loop.
pub(crate) enum Noted {
    /// A stream with answers.
    Answers(Arc<StreamAnswers>),
    /// A session whose datagrams have answers.
    Datagrams(Arc<DatagramAnswers>),
    /// A session with updates.
    News(Arc<Outbox>),
}

impl Dock {
    pub(crate) fn new(hub: Hub, ingress: mpsc::Sender<Batch>, pages: Arc<Pages>, counters: Counters) -> Dock {
        let (stage, noted) = (Mutex::default(), Mutex::new(Some(Vec::new())));
        Dock { hub, ingress, pages, counters, stage, room: Notify::new(), noted }
    }

    /// The stage; held for the frames of a chunk, never across a wait.
    pub(crate) fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of the stage, and has the loop come round if something is staged that it does not know of.
    pub(crate) fn leave(&self, mut stage: MutexGuard<'_, Stage>) {
        let untold = std::mem::take(&mut stage.untold);
        if stage.page.is_none() {
            self.settle(&mut stage);
        }
        // What is staged keeps sessions, and they keep this: without an end of the loop nobody would take it out.
        let late = if stage.closed { stage.take() } else { None };
        drop(stage);
        drop(late);
        if untold {
            self.hub.rouse();
        }
    }

    /// Sees to it that the page has room for a packet of so many bytes; else what has to be waited for.
    pub(crate) fn make_room(self: &Arc<Dock>, stage: &mut Stage, bytes: usize) -> Result<(), Lack> {
        if stage.page.as_ref().is_some_and(|page| !page.has_room(bytes)) && !self.send(stage) {
            return Err(Lack::Channel);
        }
        if stage.page.is_none() {
            stage.page = Some(self.pages.try_take().ok_or(Lack::Page)?);
            // Whoever waits for a page puts its records into this one.
            self.room.notify_waiters();
        }
        Ok(())
    }

    /// Waits for what was lacking. It may be gone again when the caller comes to it.
    pub(crate) async fn wait(&self, lack: Lack) {
        match lack {
            Lack::Page => self.wait_for_page().await,
            Lack::Channel => {
                let mut room = std::pin::pin!(self.room.notified());
                // Stand in line before looking, or an emptied stage in between would wake nobody.
                room.as_mut().enable();
                if self.stage().waiting {
                    room.await;
                }
            }
        }
    }

    /// Waits until the stage has a page, whoever brings it: one page is enough for all who wait here.
    async fn wait_for_page(&self) {
        let mut room = std::pin::pin!(self.room.notified());
        // Stand in line before looking, or a page that comes in between would be told to nobody.
        room.as_mut().enable();
        if self.stage().page.is_some() {
            return;
        }
        tokio::select! {
            page = self.pages.take() => {
                self.stage().page.get_or_insert(page);
                self.room.notify_waiters();
            }
            () = room => {}
        }
    }

    /// Sends what is staged; `false` while the channel is full.
    fn send(self: &Arc<Dock>, stage: &mut Stage) -> bool {
        match self.ingress.try_reserve() {
            Ok(place) => {
                keeps_up(self.pages.backlog());
                if let Some(batch) = stage.take() {
                    place.send(batch);
                }
                true
            }
            Err(TrySendError::Full(())) => {
                if !stage.waiting {
                    stage.waiting = true;
                    self.counters.add(CounterId::ChannelFull, 1);
                    falls_behind(self.pages.backlog());
                    tokio::spawn(Arc::clone(self).send_later());
                }
                false
            }
            Err(TrySendError::Closed(())) => {
                // The engine is gone, and every session is about to be told so.
                drop(stage.take());
                true
            }
        }
    }

    /// Waits for room in the channel and sends what is staged by then.
    async fn send_later(self: Arc<Dock>) {
        let place = self.ingress.reserve().await;
        let mut stage = self.stage();
        stage.waiting = false;
        if let (Some(batch), Ok(place)) = (stage.take(), place) {
            place.send(batch);
        }
        drop(stage);
        self.room.notify_waiters();
    }

    /// Counts what was noted.
    fn settle(&self, stage: &mut Stage) {
        if stage.frames > 0 || stage.bytes > 0 {
            self.counters.add(CounterId::FramesReceived, std::mem::take(&mut stage.frames));
            self.counters.add(CounterId::BytesReceived, std::mem::take(&mut stage.bytes));
        }
    }

    /// The loop comes round: what is staged leaves.
    pub(crate) fn flush(self: &Arc<Dock>) {
        let mut stage = self.stage();
        self.settle(&mut stage);
        stage.untold = false;
        if stage.page.as_ref().is_some_and(|page| !page.is_empty()) && !stage.waiting {
            self.send(&mut stage);
        }
    }

    /// Notes who has something for the loop, which looks when it comes round, at the latest after [`Dock::rouse`]. To wake a
    /// task of the loop's from another thread takes a call of the system each time; this takes one for all.
    pub(crate) fn note(&self, something: Noted) {
        if let Some(noted) = &mut *self.noted() {
            noted.push(something);
        }
    }

    /// Has the loop come round.
    pub(crate) fn rouse(&self) {
        self.hub.rouse();
    }

    fn noted(&self) -> MutexGuard<'_, Option<Vec<Noted>>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The loop writes the answers that are there and wakes whoever writes the rest. `list` and `buffer` are used again
    /// each time.
    pub(crate) fn deliver(&self, list: &mut Vec<Noted>, buffer: &mut Vec<u8>, turns: &mut Turns) {
        if let Some(noted) = &mut *self.noted() {
            std::mem::swap(noted, list);
        }
        let mut sent = 0;
        for noted in list.drain(..) {
            match noted {
                Noted::Answers(answers) => sent += answers.carry_on(buffer, turns),
                Noted::Datagrams(answers) => answers.carry_on(),
                Noted::News(outbox) => outbox.carry_on(),
            }
        }
        if sent > 0 {
            self.counters.add(CounterId::AnswersSent, sent);
        }
    }

    /// The loop has ended: what is staged leaves, and nobody takes answers any more.
    pub(crate) fn close(self: &Arc<Dock>) {
        self.flush();
        self.stage().closed = true;
        self.noted().take();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use lodestone_memory::PagePool;

    use super::*;

    const HANG: Duration = Duration::from_secs(180);

    #[tokio::test]
    async fn one_page_is_enough_for_all_who_wait_for_one() {
        for another_is_first in [false, true] {
            let counters = Counters::detached();
            let pages = Arc::new(Pages::new(PagePool::new(1, false).unwrap(), counters, Arc::default()));
            let (ingress, _batches) = mpsc::channel(1);
            let dock = Arc::new(Dock::new(Hub::default(), ingress, Arc::clone(&pages), counters));
            let held = pages.take().await;
            assert_eq!(dock.make_room(&mut dock.stage(), 100), Err(Lack::Page));
            let wait = || {
                let dock = Arc::clone(&dock);
                tokio::spawn(async move { dock.wait(Lack::Page).await })
            };
            let waiting = [wait(), wait(), wait()];
            tokio::task::yield_now().await;
            assert!(waiting.iter().all(|task| !task.is_finished()));
            drop(held);
            if another_is_first {
                assert_eq!(dock.make_room(&mut dock.stage(), 100), Ok(()));
            }
            for task in waiting {
                tokio::time::timeout(HANG, task).await.expect("hangs: a page is there").unwrap();
            }
            assert_eq!(dock.make_room(&mut dock.stage(), 100), Ok(()));
        }
    }
}
