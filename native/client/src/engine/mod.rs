//! A client that stays with its engine: any number of requests under way, and back after a lost connection.

mod books;
#[cfg(test)]
mod books_tests;
mod driver;
mod ending;
mod interest;
mod news;
mod options;
mod request;
mod shared;
mod text;
mod unordered;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Wake};
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::ClientError;
use crate::identity::ClientIdentity;
use crate::session::{Client, Session, any_port_towards};
use crate::trust::TrustAnchor;

pub use books::Completion;
use books::{Books, Flight};
use driver::Driver;
use ending::Ending;
pub use news::NodeNews;
pub use options::{EngineClientOptions, IN_FLIGHT_LIMIT};
pub use request::{
    Ask, ByDatagram, Delivery, FoundRoute, NodeState, Outcome, Read, Release, Reply, Request, RouteBetween, Subscribe,
    Subscription, Unsubscribe,
};
pub use shared::ClientState;
use shared::Shared;

/// How to reach an engine, and as whom.
#[derive(Debug)]
pub struct EngineAddress<'a> {
    /// Where it takes QUIC connections.
    pub address: SocketAddr,
    /// Whom to take for the server.
    pub trust: &'a TrustAnchor,
    /// The certificate to show, for servers that ask for one.
    pub identity: Option<&'a ClientIdentity>,
    /// The token, for servers that ask for one.
    pub token: Option<&'a [u8]>,
}

/// A session with an engine that outlives its connections.
///
/// Requests leave in the order in which they were sent, on one stream, and any number of them (up to
/// [`EngineClientOptions::in_flight_max`]) may be under way; a read sees all moves sent before it. When the connection is
/// lost, a new one is made and what is unanswered is sent again: reads and routes always, a move only with an expected
/// version, because that keeps it from being applied twice. What may or may not have been applied is
/// [`Outcome::InDoubt`].
///
/// Cheap to clone; all clones are one client. Any thread may use it. Its answers are handed out by one task.
#[derive(Clone, Debug)]
pub struct EngineClient {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Flight>,
    places: Arc<Semaphore>,
    closing: Arc<watch::Sender<Option<Instant>>>,
}

impl EngineClient {
    /// Opens a session and serves it as a task of the present runtime.
    ///
    /// # Errors
    /// Those of [`Client::bind`] and [`Client::open_session`]: the first connection is not tried again.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn open(engine: &EngineAddress<'_>, options: &EngineClientOptions) -> Result<EngineClient, ClientError> {
        let (opened, driver, session) = EngineClient::prepare(engine, options).await?;
        tokio::spawn(driver.run(session));
        Ok(opened)
    }

    /// Opens a session on a thread of its own, for programs without a runtime; waits until it is open.
    ///
    /// # Errors
    /// As [`open`](EngineClient::open); [`ClientError::Thread`] when the system gives no thread.
    pub fn open_on_thread(
        engine: &EngineAddress<'_>,
        options: &EngineClientOptions,
    ) -> Result<EngineClient, ClientError> {
        let refused = |error: std::io::Error| ClientError::Thread { reason: error.to_string() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(refused)?;
        let (opened, driver, session) = runtime.block_on(EngineClient::prepare(engine, options))?;
        let body = move || runtime.block_on(driver.run(session));
        std::thread::Builder::new().name("lodestone-client".into()).spawn(body).map_err(refused)?;
        Ok(opened)
    }

    async fn prepare(
        engine: &EngineAddress<'_>,
        options: &EngineClientOptions,
    ) -> Result<(EngineClient, Driver, Session), ClientError> {
        let local = any_port_towards(engine.address);
        let mut options = *options;
        options.network.updates = options.updates_max > 0;
        let client = Client::bind_as(local, engine.trust, engine.identity, &options.network)?;
        let session = match client.open_session(engine.address, engine.token).await {
            Ok(session) => session,
            Err(error) => {
                // Before the socket goes: the server holds the connection until it knows that its refusal has arrived.
                client.wait_idle().await;
                return Err(error);
            }
        };
        let shared = Arc::new(Shared::new(engine.token, options.updates_max));
        shared.connected(session.welcome());
        let in_flight_max = options.in_flight_max.clamp(1, IN_FLIGHT_LIMIT);
        let (sender, requests) = mpsc::channel(in_flight_max);
        let (closing_sender, closing) = watch::channel(None);
        let driver = Driver {
            client,
            address: engine.address,
            options,
            shared: Arc::clone(&shared),
            requests,
            ending: Ending::new(closing),
            books: Books::new(options.sole_writer, options.datagram_timeout_ms),
            no_more: false,
        };
        let places = Arc::new(Semaphore::new(in_flight_max));
        Ok((EngineClient { shared, requests: sender, places, closing: Arc::new(closing_sender) }, driver, session))
    }

    /// Sends a request at once; the answer is waited for apart, or not at all.
    ///
    /// # Errors
    /// [`ClientError::InFlightFull`], [`ClientError::TooLong`], or why the client has ended; nothing is sent then.
    pub fn try_send<A: Ask>(&self, ask: A) -> Result<Pending<A>, ClientError> {
        let (completion, pending) = pending();
        self.try_submit(ask.into_request(), completion)?;
        Ok(pending)
    }

    /// Sends a request as soon as fewer than the maximum are under way. Safe to cancel: nothing is sent then.
    ///
    /// # Errors
    /// [`ClientError::TooLong`], or why the client has ended; nothing is sent then.
    pub async fn send<A: Ask>(&self, ask: A) -> Result<Pending<A>, ClientError> {
        let (completion, pending) = pending();
        let request = ask.into_request();
        self.check(&request)?;
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| ClientError::ClosedHere)?;
        self.hand_over(Flight::new(request, completion, Some(place)))?;
        Ok(pending)
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// As [`send`](EngineClient::send) and [`Pending`].
    pub async fn ask<A: Ask>(&self, ask: A) -> Result<A::Answer, ClientError> {
        self.send(ask).await?.await
    }

    /// Sends a request at once and calls `completion` once with what became of it, on the client's own task: it must not
    /// wait, and must not panic. It is not called when this fails.
    ///
    /// # Errors
    /// As [`try_send`](EngineClient::try_send).
    pub fn try_submit(&self, request: Request, completion: Completion) -> Result<(), ClientError> {
        self.check(&request)?;
        let full = || ClientError::InFlightFull { in_flight_max: self.requests.max_capacity() };
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| full())?;
        self.hand_over(Flight::new(request, completion, Some(place)))
    }

    fn check(&self, request: &Request) -> Result<(), ClientError> {
        if !self.shared.news.is_wanted() && matches!(request, Request::Subscribe { .. } | Request::Unsubscribe { .. }) {
            return Err(ClientError::NoUpdates);
        }
        let unanswered = matches!(request, Request::ByDatagram { answered: false, .. });
        if unanswered && self.state() == ClientState::Reconnecting {
            // By the time of the next connection it would be old, and nobody would know whether to send it again.
            return Err(ClientError::Datagram { reason: "there is no connection right now".into() });
        }
        request.check()
    }

    /// Waits for news of a node that the client is subscribed to: the newest that it knows, those longest first that wait
    /// longest. Each goes to one taker, any number of which may wait. Safe to cancel.
    ///
    /// # Errors
    /// [`ClientError::NoUpdates`], or why the client has ended, once all that came before was taken.
    pub async fn next_update(&self) -> Result<NodeNews, ClientError> {
        if !self.shared.news.is_wanted() {
            return Err(ClientError::NoUpdates);
        }
        loop {
            if !self.shared.news.wait().await {
                return Err(self.shared.why_ended());
            }
            if let Some(news) = self.try_update() {
                return Ok(news);
            }
        }
    }

    /// Whether the client was opened with updates.
    pub fn takes_updates(&self) -> bool {
        self.shared.news.is_wanted()
    }

    /// News that waits, if there is any.
    pub fn try_update(&self) -> Option<NodeNews> {
        let mut found = None;
        self.take_updates(|news| {
            found = Some(news.clone());
            false
        });
        found
    }

    /// Hands over the news that waits, without a copy, until `take` says that it wants no more; how many. Nothing is put to
    /// them meanwhile, so `take` must be short and must not call the client.
    pub fn take_updates(&self, take: impl FnMut(&NodeNews) -> bool) -> usize {
        self.shared.news.take(take)
    }

    /// Waits until news waits, on a thread, for this long at most; whether there is some. Not for tasks of a runtime.
    pub fn wait_update(&self, time: Duration) -> bool {
        self.shared.news.wait_on_thread(time)
    }

    /// Why the last connection was lost; `None` while none was. [`ClientError::Closed`] with
    /// [`Status::SLOW_CONSUMER`](crate::Status::SLOW_CONSUMER): answers or updates were not taken for too long.
    pub fn last_loss(&self) -> Option<ClientError> {
        self.shared.last_loss()
    }

    fn hand_over(&self, flight: Flight) -> Result<(), ClientError> {
        if self.is_closing() {
            return Err(self.shared.why_ended());
        }
        // Whoever has a place finds room: there are as many of both.
        self.requests.try_send(flight).map_err(|_| self.shared.why_ended())
    }

    /// Shows this token at the next connection: the old one may have expired by then.
    pub fn set_token(&self, token: Option<&[u8]>) {
        self.shared.set_token(token);
    }

    /// What the client is doing.
    pub fn state(&self) -> ClientState {
        self.shared.state()
    }

    /// Why the client has ended; `None` while it has not.
    pub fn end_reason(&self) -> Option<ClientError> {
        (self.state() == ClientState::Ended).then(|| self.shared.why_ended())
    }

    /// The number of the session, of the last connection.
    pub fn session(&self) -> u32 {
        self.shared.session.load(Ordering::Relaxed)
    }

    /// Nodes are numbered below this.
    pub fn nodes_max(&self) -> u32 {
        self.shared.nodes_max.load(Ordering::Relaxed)
    }

    /// The revision of the last acknowledgement.
    pub fn revision(&self) -> u64 {
        self.shared.revision.load(Ordering::Relaxed)
    }

    /// Connections made after the first.
    pub fn reconnects(&self) -> u64 {
        self.shared.reconnects.load(Ordering::Relaxed)
    }

    /// Rollbacks that the server told this client of: what was acknowledged with a higher revision is undone.
    pub fn rollbacks(&self) -> u64 {
        self.shared.rollbacks.load(Ordering::Relaxed)
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        self.requests.max_capacity() - self.places.available_permits()
    }

    /// Takes no more requests, waits this long for the answers of those under way, and ends the session. What is not
    /// answered by then fails with [`ClientError::ClosedHere`]. A second call may only shorten the wait.
    pub fn begin_close(&self, wait: Duration) {
        let deadline = Instant::now() + wait;
        self.closing.send_modify(|last| *last = Some(last.map_or(deadline, |last| last.min(deadline))));
    }

    /// Whether the client has ended and every request has its answer.
    pub fn is_done(&self) -> bool {
        *self.shared.done.borrow()
    }

    /// Whether a close has begun.
    pub fn is_closing(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// As [`close`](EngineClient::close), for threads outside of a runtime.
    pub fn close_blocking(&self, wait: Duration) {
        block_on(self.close(wait));
    }

    /// As [`begin_close`](EngineClient::begin_close), and waits until the client has ended.
    pub async fn close(&self, wait: Duration) {
        self.begin_close(wait);
        // The sender lives in `shared`, so waiting cannot fail.
        let _ = self.shared.done.subscribe().wait_for(|done| *done).await;
    }
}

/// Runs a future that needs no runtime on this thread.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}

fn pending<A: Ask>() -> (Completion, Pending<A>) {
    let (sender, receiver) = oneshot::channel();
    let completion = Box::new(move |result: Result<Reply, ClientError>| {
        let result = result.and_then(|reply| {
            A::answer(reply).ok_or_else(|| ClientError::Protocol { reason: "an answer of another kind".into() })
        });
        // Nobody may wait for it any more.
        let _ = sender.send(result);
    });
    (completion, Pending { receiver })
}

/// The answer to a request that was sent; a future, for async code, with [`wait`](Pending::wait) for all other.
///
/// # Errors
/// [`ClientError::Rejected`] for a read or a route that was refused (moves have [`Outcome::Refused`]), or why the client
/// ended before the answer came.
#[must_use = "dropping it gives up the answer, not the request"]
pub struct Pending<A: Ask> {
    receiver: oneshot::Receiver<Result<A::Answer, ClientError>>,
}

impl<A: Ask> std::fmt::Debug for Pending<A> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl<A: Ask> Pending<A> {
    /// Waits for the answer.
    ///
    /// # Errors
    /// As the future.
    ///
    /// # Panics
    /// Inside of a tokio runtime, where it would hold up the client itself.
    pub fn wait(self) -> Result<A::Answer, ClientError> {
        self.receiver.blocking_recv().unwrap_or(Err(ClientError::ClosedHere))
    }
}

impl<A: Ask> Future for Pending<A> {
    type Output = Result<A::Answer, ClientError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.receiver).poll(context).map(|received| received.unwrap_or(Err(ClientError::ClosedHere)))
    }
}
