//! QUIC client for the Lodestone data plane.
//!
//! A [`Client`] owns one UDP socket; each [`Session`] is one QUIC connection that has said HELLO and was welcomed.
//! Frames are queued into a stream's own buffer and leave together on [`StreamSender::flush`], so many moves can be on
//! their way at once. Answers are read from the other half of the stream, in place, without a copy.
//!
//! ```no_run
//! use lodestone_client::{Answer, Client, Move, TrustAnchor};
//!
//! # async fn walk() -> Result<(), lodestone_client::ClientError> {
//! let trust = TrustAnchor::pem_file("lodestone.pem")?;
//! let address = std::net::SocketAddr::from(([127, 0, 0, 1], 4433));
//! let mut session = Client::connect(address, &trust, None).await?;
//! let (mut sender, mut receiver) = session.open_stream().await?;
//!
//! let counter = sender.queue_move(&Move { source: 7, target: 8, edge_mask: 0x1_002a, ..Move::default() })?;
//! sender.flush().await?;
//! while let Some(answer) = receiver.next().await? {
//!     match answer {
//!         Answer::Reject(reject) => println!("frame {} refused: {}", reject.counter, reject.status),
//!         Answer::Ack(ack) if ack.counter >= counter => break,
//!         _ => {}
//!     }
//! }
//! session.close("done");
//! session.wait_idle().await;
//! # Ok(())
//! # }
//! ```
//!
//! [`EngineClient`] stays with its engine over lost connections, and is what most programs want: docs/clients.md tells how.
//! With [`ClientOptions::updates`] a session can subscribe to nodes ([`StreamSender::queue_subscribe`]) and gets their
//! states, as they are and after every change, from an [`UpdateReceiver`].
//!
//! Everything here runs inside a tokio runtime with time and IO enabled; one thread is enough.
#![forbid(unsafe_code)]

/// The Rust examples of docs/clients.md, so that they compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/clients.md")]
pub struct ClientsPage;

mod answer;
#[doc(hidden)]
pub mod command_line;
mod datagram;
mod engine;
mod error;
mod identity;
mod session;
mod status;
mod stream;
mod trust;
mod updates;
pub mod wire;

pub use answer::{Ack, Answer, Path, Reject, Slot, State, Subscribed};
pub use datagram::{DatagramReceiver, DatagramSender};
pub use engine::{
    Ask, ByDatagram, ClientState, Completion, Delivery, EngineAddress, EngineClient, EngineClientOptions, FoundRoute,
    IN_FLIGHT_LIMIT, NodeNews, NodeState, Outcome, Pending, Read, Release, Reply, Request, RouteBetween, Subscribe,
    Subscription, Unsubscribe,
};
pub use error::ClientError;
pub use identity::ClientIdentity;
pub use session::{Client, ClientOptions, Session, Welcome};
pub use status::Status;
pub use stream::{StreamReceiver, StreamSender};
pub use trust::TrustAnchor;
pub use updates::{Update, UpdateReceiver};
pub use wire::Move;
