//! What is left of a server, its sessions and their connections when all of them are gone: nothing.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::*;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn an_abrupt_end_leaves_no_session_and_no_connection() {
    let (servers, clients) = (runtime(), runtime());
    let bench = servers.block_on(async { Bench::start() });
    let events = Arc::downgrade(&bench.events);
    let sessions = clients.block_on(async {
        let mut sessions = Vec::new();
        for _ in 0..5 {
            let mut client = bench.session().await;
            client.send.write_all(&move_frame(0, client.session, 1, 5, &[])).await.unwrap();
            until_acked(&mut client.receive, 1).await;
            sessions.push(client);
        }
        sessions
    });
    // The loop ends first or last, as it happens; nobody says farewell.
    servers.shutdown_timeout(Duration::from_secs(60));
    assert!(events.strong_count() > 1, "held by the server");
    let Bench { server, events: log, .. } = bench;
    drop(server);
    drop(log);
    // All that the server's connections share holds the sink of its events.
    assert_eq!(events.strong_count(), 0, "held by sessions or connections that nobody can reach");
    drop(sessions);
}

#[test]
fn an_orderly_end_leaves_nothing_either() {
    let runtime = runtime();
    let events = runtime.block_on(async {
        let bench = Bench::start();
        let _client = bench.session().await;
        bench.server.shutdown(5000).await;
        Arc::downgrade(&bench.events)
    });
    runtime.shutdown_timeout(Duration::from_secs(60));
    assert_eq!(events.strong_count(), 0, "held by sessions or connections that nobody can reach");
}
