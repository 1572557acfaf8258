//! The task behind a client: keeps a connection, sends what waits, hands out answers, and comes back after a loss.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::books::{Books, Flight, Outlets};
use super::ending::{Ending, Sign};
use super::interest::Orders;
use super::options::EngineClientOptions;
use super::request::Request;
use super::shared::{ClientState, Shared};
use crate::answer::Answer;
use crate::datagram::{DatagramReceiver, DatagramSender};
use crate::error::ClientError;
use crate::session::{Client, Session};
use crate::status::Status;
use crate::stream::{StreamReceiver, StreamSender};
use crate::updates::{Update, UpdateReceiver};
use crate::wire::VERSION_LATEST;

/// Requests taken over in one go before the network gets its turn again.
const REQUESTS_A_TURN: usize = 256;
/// First pause before a connection is tried again; doubled each time up to [`PAUSE_MAX`].
const PAUSE_FIRST: Duration = Duration::from_millis(20);
/// Longest pause between two tries: short against a restart of a server, long against the cost of a handshake.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// How long the reason of a close may come behind the end of a stream.
const REASON_WAIT: Duration = Duration::from_millis(200);

/// How serving a connection ended.
enum End {
    /// All is answered and nothing more will come.
    Finished,
    /// The time for a graceful end is over.
    TimeUp,
    /// The connection is over.
    Lost(ClientError),
}

/// The ends of one connection.
struct Link {
    sender: StreamSender,
    receiver: StreamReceiver,
    datagram_sender: DatagramSender,
    datagram_receiver: DatagramReceiver,
    updates: Option<UpdateReceiver>,
    /// Whether the server knows updates by datagram.
    latest: bool,
    orders: Orders,
}

impl Link {
    fn of(session: &mut Session) -> Option<Link> {
        let (sender, receiver) = session.take_first_stream()?;
        let (datagram_sender, datagram_receiver) = session.take_datagrams()?;
        let (updates, latest) = (session.take_updates(), session.version() >= VERSION_LATEST);
        Some(Link { sender, receiver, datagram_sender, datagram_receiver, updates, latest, orders: Orders::default() })
    }
}

/// Waits for updates; for ever where none can come.
async fn more_updates(updates: &mut Option<UpdateReceiver>) -> Result<(), ClientError> {
    match updates {
        Some(updates) => updates.read_more().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Owns the connection of one client.
pub(crate) struct Driver {
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    pub(crate) options: EngineClientOptions,
    pub(crate) shared: Arc<Shared>,
    pub(crate) requests: mpsc::Receiver<Flight>,
    pub(crate) ending: Ending,
    pub(crate) books: Books,
    /// All handles are gone, or the client is closing: nothing new comes.
    pub(crate) no_more: bool,
}

impl Driver {
    /// Serves until the client is closed, or lost for good.
    pub(crate) async fn run(mut self, session: Session) {
        let mut session = Some(session);
        let error = loop {
            let end = match session.take() {
                Some(mut open) => {
                    let end = self.serve(&mut open).await;
                    open.close("");
                    if !matches!(end, End::Lost(_)) {
                        open.wait_idle().await;
                    }
                    end
                }
                None => break ClientError::ClosedHere,
            };
            match end {
                End::Finished | End::TimeUp => break ClientError::ClosedHere,
                End::Lost(error) if is_final(&error) || self.options.reconnect_timeout_ms == 0 => break error,
                End::Lost(error) => {
                    self.shared.lose(error.clone());
                    self.books.lost();
                    match self.come_back(error).await {
                        Ok(opened) => session = Some(opened),
                        Err(error) => break error,
                    }
                }
            }
        };
        self.end(&error).await;
    }

    async fn end(&mut self, error: &ClientError) {
        self.shared.end(error.clone());
        self.requests.close();
        self.books.fail_all(error);
        while let Some(flight) = self.requests.recv().await {
            flight.fail(error.clone());
        }
        self.shared.done.send_replace(true);
    }

    /// Tries to connect until it works, the time is over, or the client is closed.
    async fn come_back(&mut self, mut error: ClientError) -> Result<Session, ClientError> {
        self.shared.set_state(ClientState::Reconnecting);
        let deadline = Instant::now() + Duration::from_millis(self.options.reconnect_timeout_ms);
        let mut pause = PAUSE_FIRST;
        while Instant::now() < deadline {
            let token = self.shared.token();
            let attempt = async {
                sleep(pause).await;
                self.client.open_session(self.address, token.as_deref()).await
            };
            let opened = tokio::select! {
                opened = attempt => opened,
                sign = self.ending.next() => match sign {
                    Sign::Begun => {
                        self.take_last_requests();
                        if self.books.is_empty() {
                            return Err(ClientError::ClosedHere);
                        }
                        continue;
                    }
                    Sign::Over => return Err(ClientError::ClosedHere),
                },
            };
            match opened {
                Ok(session) => {
                    self.shared.reconnects.fetch_add(1, Ordering::Relaxed);
                    return Ok(session);
                }
                Err(refused) if is_final(&refused) => return Err(refused),
                Err(failed) => error = failed,
            }
            pause = (2 * pause).min(PAUSE_MAX);
        }
        Err(error)
    }

    async fn serve(&mut self, session: &mut Session) -> End {
        let Some(mut link) = Link::of(session) else { return End::Lost(ClientError::ClosedHere) };
        self.shared.connected(session.welcome());
        self.books.connected();
        match self.exchange(&mut link).await {
            Ok(end) => end,
            Err(error) => {
                // The close of the connection says more than what broke because of it.
                let reason = timeout(REASON_WAIT, session.closed()).await;
                End::Lost(reason.unwrap_or(error))
            }
        }
    }

    async fn exchange(&mut self, link: &mut Link) -> Result<End, ClientError> {
        loop {
            let Link { sender: stream, datagram_sender: datagrams, latest, .. } = link;
            self.books.send(&mut Outlets { stream, datagrams, latest: *latest })?;
            stream.try_flush()?;
            let room = self.shared.news.has_room();
            if self.no_more && self.books.is_empty() {
                return Ok(End::Finished);
            }
            tokio::select! {
                read = link.receiver.read_more() => {
                    if !read? {
                        return Err(ClientError::Lost { reason: "the server ended the stream".into() });
                    }
                    self.take_answers(link)?;
                }
                answer = link.datagram_receiver.next() => match answer? {
                    Answer::Latest(update) => self.take_update(&mut link.orders, &update, true),
                    answer => self.books.datagram(&answer),
                },
                read = more_updates(&mut link.updates), if room => {
                    read?;
                    self.take_updates(link)?;
                }
                () = self.shared.news.room(), if !room => self.take_updates(link)?,
                flushed = link.sender.flush(), if link.sender.queued_bytes() > 0 => flushed?,
                request = self.requests.recv(), if !self.no_more && self.books.waiting() == 0 => {
                    self.take_requests(request, &mut link.orders);
                }
                () = until(self.books.unordered().deadline()) => self.books.unordered().expire(Instant::now()),
                sign = self.ending.next() => match sign {
                    Sign::Begun => self.take_last_requests(),
                    Sign::Over => return Ok(End::TimeUp),
                },
            }
        }
    }

    fn take_requests(&mut self, first: Option<Flight>, orders: &mut Orders) {
        let Some(first) = first else {
            self.no_more = true;
            return;
        };
        let mut next = Some(first);
        for _ in 0..REQUESTS_A_TURN {
            let Some(flight) = next.or_else(|| self.requests.try_recv().ok()) else { return };
            if let Request::Subscribe { nodes, .. } = &flight.request {
                orders.forget(nodes);
            }
            self.books.add(flight);
            next = None;
        }
    }

    /// The client is closing: what it took before is sent, nothing is taken any more.
    fn take_last_requests(&mut self) {
        self.no_more = true;
        self.requests.close();
        while let Ok(flight) = self.requests.try_recv() {
            self.books.add(flight);
        }
    }

    /// Takes in the updates that were read, as far as there is room.
    fn take_updates(&mut self, link: &mut Link) -> Result<(), ClientError> {
        let Some(updates) = &mut link.updates else { return Ok(()) };
        while self.shared.news.has_room()
            && let Some(update) = updates.next_buffered()?
        {
            self.take_update(&mut link.orders, &update, false);
        }
        Ok(())
    }

    fn take_update(&self, orders: &mut Orders, update: &Update<'_>, by_datagram: bool) {
        let connection = self.shared.reconnects.load(Ordering::Relaxed);
        // A datagram that finds no room is lost, as datagrams may be: the stream brings its state, which is news then.
        if orders.is_news(update) && self.shared.news.put(update, connection) {
            orders.taken_up(update, by_datagram);
        }
    }

    fn take_answers(&mut self, link: &mut Link) -> Result<(), ClientError> {
        while let Some(answer) = link.receiver.next_buffered()? {
            match answer {
                Answer::Ack(ack) => {
                    self.shared.revision.store(ack.revision, Ordering::Relaxed);
                    self.books.ack(&ack);
                }
                Answer::Reject(reject) if reject.is_rollback() => {
                    self.shared.rollbacks.fetch_add(1, Ordering::Relaxed);
                }
                Answer::Reject(reject) => self.books.reject(&reject)?,
                Answer::State(state) => self.books.state(&state)?,
                Answer::Path(path) => self.books.path(&path)?,
                Answer::Subscribed(subscribed) => self.books.subscribed(&subscribed)?,
                Answer::Latest(_) => {
                    return Err(ClientError::Protocol { reason: "a LATEST on a stream".to_owned() });
                }
                Answer::Close { status, text } => return Err(ClientError::Closed { status, text: text.to_owned() }),
            }
        }
        while let Some((node, status)) = self.books.next_ended() {
            self.shared.news.put_ended(node, status, self.shared.reconnects.load(Ordering::Relaxed));
        }
        Ok(())
    }
}

/// Whether trying again would end in the same way: the server said so, or broke the protocol.
fn is_final(error: &ClientError) -> bool {
    match error {
        ClientError::Closed { status, .. } | ClientError::Refused { status } => matches!(
            *status,
            Status::OK | Status::MALFORMED | Status::UNAUTHORIZED | Status::VERSION_UNSUPPORTED | Status::FORBIDDEN
        ),
        ClientError::Protocol { .. } | ClientError::ClosedHere | ClientError::TooLong { .. } => true,
        _ => false,
    }
}
