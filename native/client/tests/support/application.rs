//! The application beside the engine, which decides what sessions are told.

use std::time::{Duration, Instant};

use lodestone_memory::rings::{ProcessIdentity, Producer, Registration, RejectionReader};
use lodestone_runtime::Engine;

/// Nothing here takes long; what does is a hang.
const STANDSTILL: Duration = Duration::from_secs(180);

/// The application's end: commands through shared memory.
pub(crate) struct Application<'engine> {
    engine: &'engine Engine,
    producer: Producer,
    refusals: RejectionReader,
}

impl<'engine> Application<'engine> {
    pub(crate) fn new(engine: &'engine Engine) -> Application<'engine> {
        let process = ProcessIdentity::own().unwrap();
        let registration = Registration { process, tenant: 0, lane: true, unix_ms: 1 };
        let producer = engine.bridge().register(&registration).unwrap();
        Application { engine, producer, refusals: RejectionReader::default() }
    }

    /// Sends one decision and waits for what becomes of it.
    pub(crate) fn decide(&mut self, kind: u8, session: u32, nodes: &[u32]) -> Result<(), (u16, u32)> {
        let words: Vec<u32> = [session, 0].iter().chain(nodes).copied().collect();
        self.send(kind, &words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
    }

    pub(crate) fn send(&mut self, kind: u8, body: &[u8]) -> Result<(), (u16, u32)> {
        let counter = self.producer.send(kind, body).unwrap();
        let answers = self.engine.bridge().producers().answers(self.producer.entry());
        let begun = Instant::now();
        while answers.decided() < counter {
            assert!(begun.elapsed() < STANDSTILL, "stands still");
            std::thread::yield_now();
        }
        match answers.next_rejection(&mut self.refusals) {
            None => Ok(()),
            Some(refusal) => {
                assert_eq!(refusal.counter, counter);
                Err((refusal.status, refusal.node))
            }
        }
    }
}
