//! A session as the commands see it: streams by number, datagrams, frames that wait.

use std::collections::BTreeMap;
use std::time::Duration;

use lodestone_client::command_line::Output;
use lodestone_client::{
    Answer, ClientError, DatagramReceiver, DatagramSender, Move, Session, Status, StreamReceiver, StreamSender,
    UpdateReceiver, wire::VERSION_LATEST,
};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::answers::{Source, answer_line, event_at, update_line};
use crate::command::{Command, Frame};

/// How long the end of the session waits for answers to datagrams, which may be lost.
const DATAGRAM_WAIT: Duration = Duration::from_secs(1);

/// Why a command was not carried out, or answers stopped coming.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The protocol's side.
    Client(ClientError),
    /// This program's side, in plain words.
    Local(String),
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        Trouble::Client(error)
    }
}

impl Trouble {
    /// Whether the connection itself is over: its close tells more than this does.
    pub(crate) fn is_end_of_session(&self) -> bool {
        use ClientError::{Closed, ClosedHere, Lost};
        matches!(self, Trouble::Client(Closed { .. } | ClosedHere | Lost { .. }))
    }

    /// In plain words.
    pub(crate) fn words(&self) -> String {
        match self {
            Trouble::Client(error) => error.to_string(),
            Trouble::Local(text) => text.clone(),
        }
    }
}

/// A session and what the commands so far made of it.
pub(crate) struct Probe {
    session: Session,
    /// By number; `None` once finished.
    senders: BTreeMap<u32, Option<StreamSender>>,
    current: u32,
    held: bool,
    datagrams: DatagramSender,
    /// Answers to datagrams, if none gets lost.
    datagram_answers_due: u64,
    datagram_answers: watch::Receiver<u64>,
    stream_readers: JoinSet<Result<(), Trouble>>,
    unanswered_readers: JoinSet<Result<(), Trouble>>,
    output: Output,
}

impl Probe {
    /// Takes over a fresh session and prints its answers from here on.
    pub(crate) fn new(mut session: Session) -> Result<Probe, String> {
        let (sender, receiver) = session.take_first_stream().ok_or("the session has no first stream")?;
        let (datagrams, datagram_receiver) = session.take_datagrams().ok_or("the session has no datagrams")?;
        let (counted, datagram_answers) = watch::channel(0);
        let mut stream_readers = JoinSet::new();
        stream_readers.spawn(print_stream(0, receiver));
        let mut unanswered_readers = JoinSet::new();
        unanswered_readers.spawn(print_datagrams(datagram_receiver, counted));
        if let Some(updates) = session.take_updates() {
            unanswered_readers.spawn(print_updates(updates));
        }
        Ok(Probe {
            session,
            senders: BTreeMap::from([(0, Some(sender))]),
            current: 0,
            held: false,
            datagrams,
            datagram_answers_due: 0,
            datagram_answers,
            stream_readers,
            unanswered_readers,
            output: Output::new(),
        })
    }

    /// Waits until something ends that the commands did not end: the session, or the answers of a stream. Safe to cancel.
    pub(crate) async fn trouble(&mut self) -> Trouble {
        loop {
            tokio::select! {
                error = self.session.closed() => return error.into(),
                Some(ended) = self.stream_readers.join_next() => {
                    if let Err(trouble) = flat(ended) { return trouble; }
                }
                Some(Err(trouble)) = async { self.unanswered_readers.join_next().await.map(flat) } => return trouble,
            }
        }
    }

    /// Waits until all that came before the end of the session is printed.
    pub(crate) async fn print_rest(&mut self) {
        while self.stream_readers.join_next().await.is_some() {}
        self.unanswered_readers.shutdown().await;
    }

    /// Carries out one command; `true` when it was the last.
    pub(crate) async fn obey(&mut self, command: Command) -> Result<bool, Trouble> {
        match command {
            Command::Frame(frame) => self.send(&frame).await?,
            Command::Datagram(frame) => self.send_datagram(&frame)?,
            Command::DatagramCounter(counter) => self.datagrams.set_counter_next(counter),
            Command::Stream(number) => self.go_to(number).await?,
            Command::Hold => self.held = true,
            Command::Go => {
                self.held = false;
                self.flush_all().await?;
            }
            Command::Finish => {
                sender_of(&mut self.senders, self.current)?.finish().await?;
                self.senders.insert(self.current, None);
            }
            Command::Close(text) => {
                sender_of(&mut self.senders, self.current)?.queue_close(Status::OK, &text)?;
                self.flush_all().await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn send(&mut self, frame: &Frame) -> Result<(), Trouble> {
        let sender = sender_of(&mut self.senders, self.current)?;
        let counter = match frame {
            Frame::Move { .. } => sender.queue_move(&move_of(frame))?,
            Frame::Release { node, ack_each } => sender.queue_release(*node, *ack_each)?,
            Frame::Read { node } => sender.queue_read(*node)?,
            Frame::Route { source, target } => sender.queue_route(*source, *target)?,
            Frame::Subscribe { nodes } => sender.queue_subscribe(nodes)?,
            Frame::SubscribeLatest { nodes } if self.session.version() >= VERSION_LATEST => {
                sender.queue_subscribe_latest(nodes)?
            }
            Frame::SubscribeLatest { nodes } => sender.queue_subscribe(nodes)?,
            Frame::Unsubscribe { nodes } => sender.queue_unsubscribe(nodes)?,
        };
        // Before the frame leaves, so that its answer cannot be printed first.
        self.tell(Source::Stream(self.current), frame, counter)?;
        if !self.held {
            sender_of(&mut self.senders, self.current)?.flush().await?;
        }
        Ok(())
    }

    fn send_datagram(&mut self, frame: &Frame) -> Result<(), Trouble> {
        let counter = match frame {
            Frame::Move { .. } => self.datagrams.send_move(&move_of(frame))?,
            Frame::Release { node, ack_each } => self.datagrams.send_release(*node, *ack_each)?,
            Frame::Read { node } => self.datagrams.send_read(*node)?,
            _ => return Err(Trouble::Local("this frame is never a datagram".into())),
        };
        self.datagram_answers_due += u64::from(frame.is_answered_as_datagram());
        self.tell(Source::Datagram, frame, counter)
    }

    fn tell(&mut self, source: Source, frame: &Frame, counter: u64) -> Result<(), Trouble> {
        let line = event_at("frame", source).text("type", frame.name()).number("counter", counter);
        self.output.line(&line).map_err(Trouble::Local)
    }

    async fn go_to(&mut self, number: u32) -> Result<(), Trouble> {
        if !self.senders.contains_key(&number) {
            let open = self.senders.values().flatten().count();
            let streams_max = self.session.welcome().streams_max;
            if open as u64 >= u64::from(streams_max) {
                return Err(Trouble::Local(format!("{open} streams are open, and the server allows {streams_max}")));
            }
            let (sender, receiver) = self.session.open_stream().await?;
            self.senders.insert(number, Some(sender));
            self.stream_readers.spawn(print_stream(number, receiver));
        }
        self.current = number;
        Ok(())
    }

    async fn flush_all(&mut self) -> Result<(), Trouble> {
        for sender in self.senders.values_mut().flatten() {
            sender.flush().await?;
        }
        Ok(())
    }

    /// Finishes all streams and waits for every answer; what is left then is to close.
    pub(crate) async fn finish(&mut self) -> Result<(), Trouble> {
        for sender in self.senders.values_mut() {
            if let Some(mut open) = sender.take() {
                open.finish().await?;
            }
        }
        while let Some(ended) = self.stream_readers.join_next().await {
            flat(ended)?;
        }
        let due = self.datagram_answers_due;
        // Datagrams promise nothing: one that is lost must not hold up the end.
        let _ = tokio::time::timeout(DATAGRAM_WAIT, self.datagram_answers.wait_for(|answers| *answers >= due)).await;
        self.session.close("");
        self.session.wait_idle().await;
        Ok(())
    }
}

/// The stream's sender, as long as it was not finished.
fn sender_of(senders: &mut BTreeMap<u32, Option<StreamSender>>, number: u32) -> Result<&mut StreamSender, Trouble> {
    let sender = senders.get_mut(&number).and_then(Option::as_mut);
    sender.ok_or_else(|| Trouble::Local(format!("stream {number} was finished; go to another one with 'stream N'")))
}

fn move_of(frame: &Frame) -> Move<'_> {
    match frame {
        Frame::Move { source, target, edge_mask, version, payload, ack_each } => Move {
            source: *source,
            target: *target,
            edge_mask: *edge_mask,
            version: *version,
            payload,
            ack_each: *ack_each,
        },
        _ => Move::default(),
    }
}

fn flat(ended: Result<Result<(), Trouble>, tokio::task::JoinError>) -> Result<(), Trouble> {
    ended.unwrap_or_else(|failed| Err(Trouble::Local(format!("a reader failed: {failed}"))))
}

/// Prints the answers of a stream until the server ends it.
async fn print_stream(number: u32, mut receiver: StreamReceiver) -> Result<(), Trouble> {
    let (source, mut output) = (Source::Stream(number), Output::new());
    while let Some(answer) = receiver.next().await? {
        if let Answer::Close { status, text } = answer {
            return Err(ClientError::Closed { status, text: text.to_owned() }.into());
        }
        output.line(&answer_line(source, &answer)).map_err(Trouble::Local)?;
    }
    output.line(&event_at("ended", source)).map_err(Trouble::Local)
}

/// Prints the answers that come as datagrams, and counts them.
async fn print_datagrams(mut receiver: DatagramReceiver, counted: watch::Sender<u64>) -> Result<(), Trouble> {
    let mut output = Output::new();
    loop {
        let answer = receiver.next().await?;
        output.line(&answer_line(Source::Datagram, &answer)).map_err(Trouble::Local)?;
        counted.send_modify(|answers| *answers += u64::from(!matches!(answer, Answer::Latest(_))));
    }
}

/// Prints what the session is told of.
async fn print_updates(mut receiver: UpdateReceiver) -> Result<(), Trouble> {
    let mut output = Output::new();
    loop {
        output.line(&update_line(&receiver.next().await?)).map_err(Trouble::Local)?;
    }
}
