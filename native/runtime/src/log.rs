//! Log records of this engine's threads on their way into the log ring.
//!
//! Records are made with `tracing`, in every crate. Each engine has a subscriber of its own, which is the default one on its
//! threads and while a call on the engine runs, so that several engines in one process do not mix. A record is made on the
//! stack and written without a lock, a wait or an allocation, whatever thread it comes from. Spans are not kept.

use std::cell::OnceCell;
use std::fmt::{self, Write};
use std::thread;
use std::time::Duration;

use lodestone_memory::log::{LOG_THREAD_BYTES, LogLevel, LogRecord, LogRing, LogText};
use lodestone_memory::{CounterId, Counters, Region};
use tracing::dispatcher::{Dispatch, with_default};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

use crate::clock::now_unix_us;
use crate::config::Config;
use crate::engine::Description;

/// Longest wait at close for whoever forwards records in this process.
const TAKEN_WAIT_MS: u32 = 500;

/// Targets of our own crates; others are told from warnings on.
const OWN: &str = "lodestone_";

/// The one field that has a place of its own in a record.
const SESSION: &str = "session";

/// How many records like this one were held back before it; told when there are any.
const HELD_BACK: &str = "held_back";

thread_local! {
    static THREAD: OnceCell<(u32, LogText<LOG_THREAD_BYTES>)> = const { OnceCell::new() };
}

/// Where the records of one engine go; cheap to clone.
#[derive(Clone)]
pub(crate) struct Logs {
    dispatch: Dispatch,
    ring: LogRing,
}

impl Logs {
    pub(crate) fn new(region: &Region, level: Option<LogLevel>) -> Logs {
        let ring = region.log();
        let dispatch = match level.map(filter) {
            Some(level) => Dispatch::new(RingSubscriber { ring, counters: region.counters(), level }),
            None => Dispatch::none(),
        };
        Logs { dispatch, ring }
    }

    /// Runs something whose records are this engine's.
    pub(crate) fn within<T>(&self, body: impl FnOnce() -> T) -> T {
        with_default(&self.dispatch, body)
    }

    pub(crate) fn ring(&self) -> LogRing {
        self.ring
    }

    /// Waits a moment for whoever forwards the records in this process, so that the last ones are not lost with the region.
    pub(crate) fn wait_until_taken(&self) {
        for _ in 0..TAKEN_WAIT_MS {
            if !self.ring.is_behind() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn level_of(metadata: &Metadata<'_>) -> LogLevel {
    match *metadata.level() {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warn,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Trace,
    }
}

/// Writes events into the ring.
struct RingSubscriber {
    ring: LogRing,
    counters: Counters,
    level: LevelFilter,
}

impl Subscriber for RingSubscriber {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) { Interest::always() } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let most = if metadata.target().starts_with(OWN) { self.level } else { self.level.min(LevelFilter::WARN) };
        metadata.is_event() && *metadata.level() <= most
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let target = metadata.target();
        let mut record = LogRecord::new(level_of(metadata), now_unix_us(), target.strip_prefix(OWN).unwrap_or(target));
        event.record(&mut Words(&mut record));
        THREAD.with(|thread| {
            let (number, name) = thread.get_or_init(this_thread);
            (record.thread, record.thread_name) = (*number, name.clone());
        });
        let counted = if self.ring.write(&record) { CounterId::LogRecords } else { CounterId::LogRecordsLost };
        self.counters.add(counted, 1);
    }

    // No span is ever enabled, so none of these is called for one.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn this_thread() -> (u32, LogText<LOG_THREAD_BYTES>) {
    let number = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    (number, LogText::of(thread::current().name().unwrap_or_default()))
}

/// Puts the fields of an event into a record: the message first, as `tracing` hands it over, then `name=value`.
struct Words<'record>(&'record mut LogRecord);

impl Words<'_> {
    fn put(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let text = &mut self.0.message;
        // A text that is full takes no more and says so; writing never fails.
        let _ = match field.name() {
            "message" => text.write_fmt(value),
            name => write!(text, "{}{name}={value}", if text.is_empty() { "" } else { " " }),
        };
    }
}

impl Visit for Words<'_> {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match u32::try_from(value) {
            Ok(session) if field.name() == SESSION => self.0.session = session,
            Ok(0) if field.name() == HELD_BACK => {}
            _ => self.put(field, format_args!("{value}")),
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format_args!("{value:?}"));
    }
}

/// Tells what was opened; secrets are no part of it.
pub(crate) fn tell_opened(config: &Config, description: &Description) {
    let region = description.region_path.as_deref().map_or("anonymous".into(), std::path::Path::to_string_lossy);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        pid = std::process::id(),
        %region,
        region_bytes = description.region_bytes,
        "engine open"
    );
    tracing::info!(
        slots_max = config.slots_max,
        nodes_max = config.nodes_max,
        edges_max = config.edges_max,
        watches_max = config.watches_max,
        window_mib = config.window_bytes >> 20,
        bump_mib = config.bump_bytes >> 20,
        lanes = config.bridge.lanes,
        tenants = config.tenants.len(),
        preallocate = config.preallocate,
        pathfinder = ?config.pathfinder_place,
        idle = ?config.idle_strategy,
        cores = ?config.pin_cores,
        "configuration"
    );
}

#[cfg(test)]
mod tests {
    use lodestone_memory::rings::BridgeSizes;
    use lodestone_memory::{RegionOptions, RegionPlace};

    use super::*;

    fn region() -> Region {
        Region::create(&RegionOptions {
            place: RegionPlace::Anonymous,
            nodes_max: 2,
            slots_max: 2,
            watches_max: 0,
            bridge: BridgeSizes { lanes: 1, lane_bytes: 4_096, ring_bytes: 4_096 },
            log_bytes: 4_096,
            touch: false,
            abi_fingerprint: 0,
            start_unix_ms: 1,
        })
        .unwrap()
    }

    fn messages(ring: LogRing) -> Vec<String> {
        let mut reader = ring.reader(0);
        std::iter::from_fn(|| reader.poll()).map(|view| view.message).collect()
    }

    #[test]
    fn message_fields_session_and_origin_are_in_the_record() {
        let region = region();
        let logs = Logs::new(&region, Some(LogLevel::Info));
        logs.within(|| tracing::warn!(session = 7_u32, held_back = 0_u64, count = 3, text = "a b", region_of = %"x", "it happened"));
        let view = logs.ring().reader(0).poll().unwrap();
        assert_eq!(view.message, "it happened count=3 text=a b region_of=x");
        assert_eq!((view.session, view.level, view.target.as_str()), (7, 2, "runtime::log::tests"));
        assert!(view.unix_us > 1_600_000_000_000_000 && view.thread > 0);
        assert_eq!(region.counters().get(CounterId::LogRecords), 1);
    }

    #[test]
    fn engines_do_not_mix_and_levels_hold() {
        let (one, other) = (region(), region());
        let (loud, quiet) = (Logs::new(&one, Some(LogLevel::Debug)), Logs::new(&other, Some(LogLevel::Error)));
        let say = || {
            tracing::debug!("for developers");
            tracing::error!("for all");
            tracing::info!(target: "quinn", "from a library");
            tracing::warn!(target: "quinn", "trouble in a library");
        };
        loud.within(say);
        quiet.within(|| {
            say();
            loud.within(|| tracing::debug!("of the other"));
        });
        say();
        assert_eq!(messages(loud.ring()), ["for developers", "for all", "trouble in a library", "of the other"]);
        assert_eq!(messages(quiet.ring()), ["for all"]);
        Logs::new(&one, None).within(say);
        assert_eq!(loud.ring().tail(), 4);
    }
}
