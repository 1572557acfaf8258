//! What a subscriber knows in the end over such a path, by stream and by datagram: what the engine knows.

use std::collections::BTreeMap;
use std::time::Duration;

use lodestone_client::{
    ClientOptions, Delivery, EngineAddress, EngineClient, EngineClientOptions, Subscribe, Subscription, TrustAnchor,
};
use lodestone_runtime::Engine;

use crate::relay::{Faults, Random, Relay};
use crate::{Model, open_engine, packet, submit};

const NODES: u32 = 40;
const ROUNDS: usize = 30;
/// Nothing here takes long; what does is a hang.
const WATCHDOG: Duration = Duration::from_secs(180);

/// What a subscriber knows of a node: version and payload.
type View = BTreeMap<u32, (u64, Vec<u8>)>;

async fn subscriber(engine: &Engine, through: std::net::SocketAddr, delivery: Delivery) -> EngineClient {
    let trust = TrustAnchor::pem(engine.description().certificate_pem.as_bytes()).unwrap();
    let trust = trust.with_server_name("localhost");
    let network = ClientOptions { initial_rtt_ms: 30, connect_timeout_ms: 180_000, ..ClientOptions::default() };
    let options = EngineClientOptions { updates_max: 64, network, ..EngineClientOptions::default() };
    let address = EngineAddress { address: through, trust: &trust, identity: None, token: None };
    let client = EngineClient::open(&address, &options).await.unwrap();
    let nodes: Vec<u32> = (0..NODES).collect();
    let subscribed = client.ask(Subscribe { nodes: &nodes, delivery }).await.unwrap();
    assert!(matches!(subscribed, Subscription::Told { subscriptions: NODES, .. }), "{subscribed:?}");
    client
}

/// Moves nodes of a seeded choice, some of them far more often than others; the model is what must be known in the end.
async fn disturb(engine: &Engine, seed: u64) -> Model {
    let (mut random, mut model) = (Random(seed), Model::default());
    for _ in 0..ROUNDS {
        let packets: Vec<Vec<u8>> = (0..1 + random.below(40))
            .map(|_| {
                let source =
                    (random.below(u64::from(NODES)) * random.below(u64::from(NODES)) / u64::from(NODES)) as u32;
                let payload: Vec<u8> = (0..random.below(232)).map(|_| random.next() as u8).collect();
                let step = lodestone_client::Move {
                    source,
                    target: NODES + 1,
                    edge_mask: 5,
                    payload: &payload,
                    ..Default::default()
                };
                model.accept(&step);
                packet(&step)
            })
            .collect();
        submit(engine, packets.iter());
        tokio::time::sleep(Duration::from_millis(random.below(6))).await;
    }
    model
}

/// Takes news until it is the model's; versions of a node never fall.
async fn follow(client: &EngineClient, wanted: &View, seed: u64) -> u64 {
    let (mut view, mut taken) = (View::new(), 0);
    loop {
        let news = client.next_update().await.unwrap();
        taken += 1 + news.missed;
        let slot = news.slot();
        let before = view.insert(news.node, (news.version, slot.payload().to_vec()));
        let fell = before.filter(|(version, _)| *version > news.version);
        assert_eq!(fell, None, "seed {seed}: node {} went back to {}", news.node, news.version);
        if wanted.iter().all(|(node, state)| view.get(node) == Some(state)) {
            return taken;
        }
    }
}

fn check(faults: Faults) {
    let seed = std::env::var("LODESTONE_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    for delivery in [Delivery::Stream, Delivery::Datagram] {
        println!("{delivery:?}: LODESTONE_SEED={seed}");
        let engine = open_engine();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let relay = Relay::start(engine.description().address, faults, faults, None, seed).await;
            let client = subscriber(&engine, relay.address, delivery).await;
            let model = disturb(&engine, seed).await;
            let last = |packets: &Vec<Vec<u8>>| packets.last().map(|packet| packet[24..].to_vec()).unwrap();
            let wanted = model.packets.iter().map(|(node, all)| (*node, (all.len() as u64, last(all)))).collect();
            let followed = tokio::time::timeout(WATCHDOG, follow(&client, &wanted, seed)).await;
            let states = followed.unwrap_or_else(|_| panic!("seed {seed}: {delivery:?} never knew it all"));
            let moves: usize = model.packets.values().map(Vec::len).sum();
            assert!(states <= (moves + 2 * NODES as usize) as u64, "seed {seed}: {states} states of {moves} moves");
            client.close(Duration::ZERO).await;
        });
        engine.close();
    }
}

#[test]
fn the_last_state_of_every_node_arrives_though_a_fifth_is_lost() {
    check(Faults { lost: 20, ..Faults::default() });
}

#[test]
fn the_last_state_of_every_node_arrives_though_all_is_in_disorder() {
    check(Faults { lost: 20, doubled: 20, overtaken: 20, delay_max_us: 10_000 });
}
