//! What a client's handles and its task share.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::news::News;
use crate::error::ClientError;
use crate::session::Welcome;

/// What a client is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ClientState {
    /// A session is open.
    Connected = 0,
    /// The connection was lost, and is being tried again.
    Reconnecting = 1,
    /// It was closed, or lost for good: every request fails.
    Ended = 2,
}

/// Written by the task, but for the token; read by everyone.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) session: AtomicU32,
    pub(crate) nodes_max: AtomicU32,
    pub(crate) revision: AtomicU64,
    pub(crate) reconnects: AtomicU64,
    pub(crate) rollbacks: AtomicU64,
    /// What the engine told of nodes.
    pub(crate) news: News,
    /// Becomes true when every request has its answer and none will be taken any more.
    pub(crate) done: watch::Sender<bool>,
    state: AtomicU8,
    token: Mutex<Option<Vec<u8>>>,
    ended: Mutex<Option<ClientError>>,
    lost: Mutex<Option<ClientError>>,
}

impl Shared {
    pub(crate) fn new(token: Option<&[u8]>, updates_max: usize) -> Shared {
        Shared { news: News::new(updates_max), token: Mutex::new(token.map(<[u8]>::to_vec)), ..Shared::default() }
    }

    pub(crate) fn connected(&self, welcome: &Welcome) {
        self.session.store(welcome.session, Ordering::Relaxed);
        self.nodes_max.store(welcome.nodes_max, Ordering::Relaxed);
        self.revision.store(welcome.revision, Ordering::Relaxed);
        self.set_state(ClientState::Connected);
    }

    pub(crate) fn set_state(&self, state: ClientState) {
        self.state.store(state as u8, Ordering::Release);
    }

    pub(crate) fn state(&self) -> ClientState {
        match self.state.load(Ordering::Acquire) {
            0 => ClientState::Connected,
            1 => ClientState::Reconnecting,
            _ => ClientState::Ended,
        }
    }

    pub(crate) fn token(&self) -> Option<Vec<u8>> {
        lock(&self.token).clone()
    }

    pub(crate) fn set_token(&self, token: Option<&[u8]>) {
        *lock(&self.token) = token.map(<[u8]>::to_vec);
    }

    /// The connection was lost.
    pub(crate) fn lose(&self, error: ClientError) {
        *lock(&self.lost) = Some(error);
    }

    pub(crate) fn last_loss(&self) -> Option<ClientError> {
        lock(&self.lost).clone()
    }

    pub(crate) fn end(&self, error: ClientError) {
        lock(&self.ended).get_or_insert(error);
        self.set_state(ClientState::Ended);
        self.news.end();
    }

    /// Why the client ended; closed on this side where nothing else is known.
    pub(crate) fn why_ended(&self) -> ClientError {
        lock(&self.ended).clone().unwrap_or(ClientError::ClosedHere)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
