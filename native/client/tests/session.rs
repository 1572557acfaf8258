//! Sessions against a scripted server: what the client makes of answers, refusals and faults.

mod support;

use std::net::{Ipv4Addr, SocketAddr};

use lodestone_client::{Ack, Answer, Client, ClientError, ClientOptions, Move, Status, TrustAnchor};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use support::{NODES_MAX, SESSION, Script, ScriptedServer};

const STEP: Move<'static> =
    Move { source: 1, target: 2, edge_mask: 0x1_0005, version: 0, payload: &[], ack_each: false };

async fn connect(server: &ScriptedServer) -> Result<lodestone_client::Session, ClientError> {
    let trust = TrustAnchor::pem(server.pem.as_bytes()).unwrap();
    Client::connect(server.address, &trust, None).await
}

#[tokio::test]
async fn welcome_brings_the_session() {
    let server = ScriptedServer::start(Script::default());
    let mut session = connect(&server).await.unwrap();
    let welcome = session.welcome();
    assert_eq!((welcome.session, welcome.nodes_max, welcome.revision), (SESSION, NODES_MAX, 5));
    assert_eq!((welcome.streams_max, welcome.packet_max), (128, 256));
    assert!(session.handshake_time() <= session.welcome_time());
    assert_eq!(session.remote_address(), server.address);
    let (sender, _receiver) = session.take_first_stream().unwrap();
    assert_eq!(sender.counter_next(), 1, "HELLO was 0");
    assert!(session.take_first_stream().is_none());
    session.close("bye");
    assert!(matches!(session.closed().await, ClientError::ClosedHere));
    session.wait_idle().await;
}

#[tokio::test]
async fn pipelined_frames_are_answered_in_any_pieces() {
    for piece_bytes in [None, Some(1), Some(7), Some(25), Some(1000)] {
        let server = ScriptedServer::start(Script { reject_every: Some(3), piece_bytes, ..Script::default() });
        let session = connect(&server).await.unwrap();
        let (mut sender, mut receiver) = session.open_stream().await.unwrap();
        assert_eq!(sender.queue_move(&STEP).unwrap(), 0);
        assert_eq!(sender.queue_route(1, 2).unwrap(), 1);
        assert_eq!(sender.queue_read(4).unwrap(), 2);
        assert_eq!(sender.queue_release(4, false).unwrap(), 3);
        assert!(sender.queued_bytes() > 0);
        sender.finish().await.unwrap();
        assert_eq!(sender.queued_bytes(), 0);
        let mut seen = Vec::new();
        while let Some(answer) = receiver.next().await.unwrap() {
            seen.push(match answer {
                Answer::Ack(Ack { counter, revision }) => format!("ack {counter} at {revision}"),
                Answer::Reject(reject) => format!("reject {} {}", reject.counter, reject.status),
                Answer::Path(path) => format!("path {} ends {:?}", path.nodes().len(), path.nodes().last()),
                Answer::State(state) => format!("state of {}", state.slot.source()),
                Answer::Subscribed(subscribed) => format!("subscribed to {}", subscribed.subscriptions),
                Answer::Latest(update) => format!("latest of {}", update.node),
                Answer::Close { .. } => "close".to_owned(),
            });
        }
        let expected = [
            "reject 0 CONFLICT (5)",
            "ack 0 at 6",
            "path 8192 ends Some(8191)",
            "state of 4",
            "reject 3 CONFLICT (5)",
            "ack 3 at 6",
        ];
        assert_eq!(seen, expected, "pieces of {piece_bytes:?}");
        assert!(matches!(sender.finish().await, Err(ClientError::StreamEnded { .. })));
    }
}

#[tokio::test]
async fn a_full_buffer_refuses_and_flushing_empties_it() {
    let server = ScriptedServer::start(Script::default());
    let mut session = connect(&server).await.unwrap();
    let (mut sender, mut receiver) = session.take_first_stream().unwrap();
    let refused = loop {
        if let Err(error) = sender.queue_move(&STEP) {
            break error;
        }
    };
    assert!(matches!(refused, ClientError::BufferFull { .. }), "{refused}");
    let last = sender.counter_next() - 1;
    while !sender.try_flush().unwrap() {
        tokio::task::yield_now().await;
    }
    sender.queue_move(&STEP).unwrap();
    sender.flush().await.unwrap();
    loop {
        match receiver.next().await.unwrap() {
            Some(Answer::Ack(ack)) if ack.counter > last => break,
            Some(Answer::Ack(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn datagrams_have_their_own_counter() {
    let server = ScriptedServer::start(Script::default());
    let mut session = connect(&server).await.unwrap();
    let (mut sender, mut receiver) = session.take_datagrams().unwrap();
    assert!(session.take_datagrams().is_none());
    sender.set_counter_next(40);
    assert_eq!(sender.send_move(&Move { ack_each: true, ..STEP }).unwrap(), 40);
    assert_eq!(receiver.next().await.unwrap(), Answer::Ack(Ack { counter: 40, revision: 1 }));
    assert_eq!(sender.send_release(3, true).unwrap(), 41);
    assert_eq!(receiver.next().await.unwrap(), Answer::Ack(Ack { counter: 41, revision: 1 }));
}

#[tokio::test]
async fn refusals_carry_their_status() {
    for status in [Status::UNAUTHORIZED, Status::VERSION_UNSUPPORTED] {
        let server = ScriptedServer::start(Script { welcome_status: status.code(), ..Script::default() });
        match connect(&server).await {
            Err(ClientError::Refused { status: found } | ClientError::Closed { status: found, .. }) => {
                assert_eq!(found, status);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_closing_server_says_why() {
    let server = ScriptedServer::start(Script { close_at: Some(1), ..Script::default() });
    let mut session = connect(&server).await.unwrap();
    let (mut sender, mut receiver) = session.take_first_stream().unwrap();
    sender.queue_move(&STEP).unwrap();
    sender.flush().await.unwrap();
    let answer = receiver.next().await.unwrap();
    assert_eq!(answer, Some(Answer::Close { status: Status::SHUTTING_DOWN, text: "over" }));
    match session.closed().await {
        ClientError::Closed { status: Status::SHUTTING_DOWN, text } => assert_eq!(text, "over"),
        other => panic!("{other}"),
    }
    assert!(session.open_stream().await.is_err());
}

#[tokio::test]
async fn garbage_is_a_protocol_error() {
    let server = ScriptedServer::start(Script { garbage_at: Some(1), ..Script::default() });
    let mut session = connect(&server).await.unwrap();
    let (mut sender, mut receiver) = session.take_first_stream().unwrap();
    sender.queue_move(&STEP).unwrap();
    sender.flush().await.unwrap();
    let error = receiver.next().await.unwrap_err();
    assert!(matches!(&error, ClientError::Protocol { reason } if reason.contains("0xee")), "{error}");
}

#[tokio::test]
async fn only_the_trusted_certificate_is_accepted() {
    let server = ScriptedServer::start(Script::default());
    let stranger = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let wrong = [
        TrustAnchor::pem(stranger.cert.pem().as_bytes()).unwrap(),
        TrustAnchor::pem(stranger.cert.pem().as_bytes()).unwrap().with_server_name("localhost"),
        TrustAnchor::fingerprint([0; 32]),
    ];
    for trust in wrong {
        let error = Client::connect(server.address, &trust, None).await.unwrap_err();
        assert!(matches!(error, ClientError::Handshake { .. }), "{error}");
    }
    let certificate = CertificateDer::from_pem_slice(server.pem.as_bytes()).unwrap();
    let right = TrustAnchor::fingerprint(Sha256::digest(&certificate).into());
    Client::connect(server.address, &right, None).await.unwrap();
}

#[tokio::test]
async fn nobody_listening_is_told_after_the_time_allowed() {
    // A socket that is bound but never answers: no port of another program can be hit by chance.
    let mute = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let options = ClientOptions { connect_timeout_ms: 50, ..ClientOptions::default() };
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let client = Client::bind(local, &TrustAnchor::fingerprint([0; 32]), &options).unwrap();
    let error = client.open_session(mute.local_addr().unwrap(), None).await.unwrap_err();
    assert!(error.to_string().contains("within 50 ms"), "{error}");
    let taken = client.local_address().unwrap();
    assert!(matches!(Client::bind(taken, &TrustAnchor::fingerprint([0; 32]), &options), Err(ClientError::Bind { .. })));
}

#[tokio::test]
async fn a_server_that_knows_less_is_asked_for_what_it_knows() {
    let options = ClientOptions { updates: true, ..ClientOptions::default() };
    for (version_max, spoken) in [(4, Some(3)), (3, Some(3)), (2, Some(2)), (1, None)] {
        let server = ScriptedServer::start(Script { version_max: Some(version_max), ..Script::default() });
        let trust = TrustAnchor::pem(server.pem.as_bytes()).unwrap();
        let opened = Client::connect_with(server.address, &trust, None, None, &options).await;
        match spoken {
            Some(version) => {
                let mut session = opened.unwrap();
                assert_eq!((session.version(), session.take_updates().is_some()), (version, true));
            }
            None => {
                let refused = opened.unwrap_err();
                assert!(matches!(refused, ClientError::Refused { status: Status::VERSION_UNSUPPORTED }), "{refused:?}");
            }
        }
    }
}
