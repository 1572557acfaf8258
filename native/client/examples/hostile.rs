//! A client that does harm, for `benchmarks/fairness.py`: what do the others notice of it?
//!
//! usage: hostile ADDRESS CERTIFICATE never-reads|floods|stalls|half-open|churns-streams    (until it is ended)
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lodestone_client::{Client, ClientOptions, Move, Session, StreamReceiver, StreamSender, TrustAnchor};
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

type Outcome = Result<(), Box<dyn Error>>;

/// Frames handed to QUIC at once.
const FRAMES_AT_ONCE: usize = 64;
/// Streams beside the first.
const STREAMS: usize = 127;
/// Handshakes begun each second.
const HALF_OPEN_PER_SECOND: u32 = 200;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, certificate, harm] = &arguments[..] else {
        return Err("usage: hostile ADDRESS CERTIFICATE never-reads|floods|stalls|half-open|churns-streams".into());
    };
    let (address, trust) = (address.parse()?, TrustAnchor::pem_file(certificate)?);
    match harm.as_str() {
        "never-reads" => never_reads(address, &trust).await,
        "floods" => floods(address, &trust).await,
        "stalls" => stalls(address, &trust).await,
        "half-open" => half_open(address, &trust).await,
        "churns-streams" => churns_streams(address, &trust).await,
        other => Err(format!("there is no harm called {other}").into()),
    }
}

async fn open(
    address: SocketAddr,
    trust: &TrustAnchor,
) -> Result<(Session, StreamSender, StreamReceiver), Box<dyn Error>> {
    let mut session = Client::connect(address, trust, None).await?;
    let (sender, receiver) = session.take_first_stream().ok_or("a session has a first stream")?;
    Ok((session, sender, receiver))
}

/// Asks for states and takes none; when the server has closed the session it comes again.
async fn never_reads(address: SocketAddr, trust: &TrustAnchor) -> Outcome {
    loop {
        let (_session, mut sender, _receiver) = open(address, trust).await?;
        while sender.queue_read(1).is_ok() && sender.flush().await.is_ok() {}
    }
}

/// Moves one node as fast as it is let.
async fn floods(address: SocketAddr, trust: &TrustAnchor) -> Outcome {
    let (_session, mut sender, mut receiver) = open(address, trust).await?;
    tokio::spawn(async move { while matches!(receiver.next().await, Ok(Some(_))) {} });
    loop {
        for _ in 0..FRAMES_AT_ONCE {
            sender.queue_move(&Move { source: 1, target: 2, edge_mask: 0x1_0001, ..Move::default() })?;
        }
        sender.flush().await?;
    }
}

/// Opens every stream, asks for something on each, and goes silent.
async fn stalls(address: SocketAddr, trust: &TrustAnchor) -> Outcome {
    let (session, _sender, _receiver) = open(address, trust).await?;
    let mut streams = Vec::new();
    for _ in 0..STREAMS {
        let (mut sender, receiver) = session.open_stream().await?;
        for _ in 0..FRAMES_AT_ONCE {
            sender.queue_read(1)?;
        }
        sender.flush().await?;
        streams.push((sender, receiver));
    }
    Err(session.closed().await.into())
}

/// Opens streams as fast as it is let, asks for one thing on each, and leaves it before the answer.
async fn churns_streams(address: SocketAddr, trust: &TrustAnchor) -> Outcome {
    let (session, _sender, _receiver) = open(address, trust).await?;
    loop {
        let (mut sender, _answers_nobody_takes) = session.open_stream().await?;
        sender.queue_read(1)?;
        sender.flush().await?;
    }
}

/// Begins handshakes through a relay that loses everything the server says.
async fn half_open(address: SocketAddr, trust: &TrustAnchor) -> Outcome {
    let relay = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let onward = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let there = relay.local_addr()?;
    tokio::spawn(async move {
        let mut packet = vec![0; 2048];
        while let Ok((bytes, _)) = relay.recv_from(&mut packet).await {
            let _ = onward.send_to(&packet[..bytes], address).await;
        }
    });
    let client = Client::bind((Ipv4Addr::LOCALHOST, 0).into(), trust, &ClientOptions::default())?;
    loop {
        let one = client.clone();
        tokio::spawn(async move { timeout(Duration::from_secs(10), one.open_session(there, None)).await.is_ok() });
        sleep(Duration::from_secs(1) / HALF_OPEN_PER_SECOND).await;
    }
}
