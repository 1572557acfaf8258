//! Empty bump pages for ingress: taken at once where there are some, waited for in turn where there are none.

use std::sync::Arc;

use lodestone_memory::{CounterId, Counters, Page, PagePool};
use tokio::sync::Notify;

use crate::overload::{Overload, falls_behind};

/// The page pool and the tasks that wait for a page.
pub(crate) struct Pages {
    pool: PagePool,
    returned: Arc<Notify>,
    counters: Counters,
    backlog: Arc<Overload>,
}

impl Pages {
    /// Hooks itself to the pool, so that each page that comes back wakes one waiting task, the longest waiting first.
    pub(crate) fn new(pool: PagePool, counters: Counters, backlog: Arc<Overload>) -> Pages {
        let returned = Arc::new(Notify::new());
        let hook = Arc::clone(&returned);
        pool.on_return(Arc::new(move || hook.notify_one()));
        Pages { pool, returned, counters, backlog }
    }

    /// Where it is told that the engine falls behind.
    pub(crate) fn backlog(&self) -> &Overload {
        &self.backlog
    }

    /// A page, or `None` while all are under way.
    pub(crate) fn try_take(&self) -> Option<Page> {
        let page = self.pool.try_take();
        if page.is_none() {
            self.counters.add(CounterId::PagesExhausted, 1);
            falls_behind(&self.backlog);
        }
        page
    }

    /// A page; waits until one comes back. Whoever waits here reads nothing meanwhile: that is the back-pressure.
    pub(crate) async fn take(&self) -> Page {
        if let Some(page) = self.try_take() {
            return page;
        }
        loop {
            let mut returned = std::pin::pin!(self.returned.notified());
            // Stand in line before looking, or a page given back in between would wake nobody.
            returned.as_mut().enable();
            if let Some(page) = self.pool.try_take() {
                return page;
            }
            returned.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_tasks_all_get_a_page_in_the_end() {
        let counters = Counters::detached();
        let pages = Arc::new(Pages::new(PagePool::new(1, false).unwrap(), counters, Arc::default()));
        let held = pages.take().await;
        assert!(pages.try_take().is_none());
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                let pages = Arc::clone(&pages);
                tokio::spawn(async move {
                    let page = pages.take().await;
                    tokio::task::yield_now().await;
                    drop(page);
                })
            })
            .collect();
        tokio::task::yield_now().await;
        drop(held);
        for task in waiting {
            task.await.unwrap();
        }
        assert!(counters.get(CounterId::PagesExhausted) >= 1);
        assert!(pages.try_take().is_some());
    }
}
