//! The configuration as the data plane takes it: UTF-8 lines `key=value`, the keys of `arena-runtime-config.yaml` with
//! dots, list items by number. Keys left out have their defaults; an unknown key, a value out of range, a list with a
//! hole are refused with the key's name.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use lodestone_core::TenantQuota;
use lodestone_core::pathfinder::{EDGES_MAX, NODES_MAX};
use lodestone_memory::RegionPlace;
use lodestone_memory::layout::WATCHES_MAX;
use lodestone_memory::log::LogLevel;
use lodestone_memory::rings::BridgeSizes;
use lodestone_transport::{Auth, Certificate, ClientCertificates, TokenKey, TransportConfig};

use crate::error::EngineError;
use crate::interest::{InterestConfig, Policy};
use crate::transport_keys::transport_limits;

/// What the engine thread does while there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdleStrategy {
    Park,
    Yield,
    BusySpin,
}

/// Who finds routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathfinderPlace {
    /// A thread of its own.
    Thread,
    /// The engine thread, between batches.
    Inline,
}

/// Whether the state is checked as a whole after a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RollbackVerify {
    Off,
    On,
    /// Rehearses a damaged state.
    FailOnPurpose,
}

/// Most edges of a graph whose routes the engine thread finds itself: a search over all of them holds moves up for a
/// tenth of a second or so.
const INLINE_EDGES_MAX: u32 = 1_000_000;

/// Most edges of a graph: what its two copies take of them, 36 bytes each, is still memory of one machine.
pub(crate) const GRAPH_EDGES_MAX: u32 = 200_000_000;
const _: () = assert!(GRAPH_EDGES_MAX <= EDGES_MAX);

/// Most vertices that a route found by the engine thread may settle, for the same reason.
const INLINE_BUDGET_MAX: u64 = 1_000_000;

/// An effective configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Network threads where `sockets` does not say; 0: by the number of cores.
    pub(crate) worker_threads: usize,
    /// UDP sockets, a thread each; 0: as many as there are network threads.
    pub(crate) sockets: usize,
    pub(crate) max_blocking_threads: usize,
    pub(crate) thread_name: String,
    pub(crate) pin_cores: Vec<usize>,
    pub(crate) idle_strategy: IdleStrategy,
    pub(crate) region_place: RegionPlace,
    pub(crate) slots_max: u32,
    pub(crate) preallocate: bool,
    pub(crate) fragmentation_threshold: f64,
    pub(crate) bump_bytes: usize,
    pub(crate) tenants: Vec<TenantQuota>,
    pub(crate) nodes_max: u32,
    pub(crate) edges_max: u32,
    pub(crate) pathfinder_place: PathfinderPlace,
    pub(crate) route_budget: u64,
    pub(crate) route_queue: usize,
    pub(crate) watches_max: u32,
    pub(crate) watch_budget: u64,
    pub(crate) window_bytes: usize,
    pub(crate) rollback_sla_ms: u64,
    pub(crate) rollback_verify: RollbackVerify,
    pub(crate) listen: SocketAddr,
    pub(crate) streams_max: u32,
    pub(crate) handshake_target_ms: u64,
    pub(crate) certificate: Certificate,
    pub(crate) client_certificates: ClientCertificates,
    pub(crate) auth: Auth,
    pub(crate) slow_consumer_ms: u64,
    pub(crate) connections_max: u32,
    pub(crate) channel_batches: usize,
    pub(crate) answer_buffer_bytes: usize,
    /// What bounds clients; its other fields say nothing.
    pub(crate) transport: TransportConfig,
    pub(crate) bridge: BridgeSizes,
    /// `None`: nothing is logged.
    pub(crate) log_level: Option<LogLevel>,
    pub(crate) log_bytes: usize,
    pub(crate) interest: InterestConfig,
    pub(crate) panic_at_revision: u64,
}

/// Most bytes of labels of watched sources: 16 watches of as many nodes as there may be.
const WATCHED_BYTES_MAX: u64 = 16 << 30;

/// Most UDP sockets on one address.
pub(crate) const SOCKETS_MAX: usize = lodestone_memory::steer::SOCKETS_MAX;

/// Keys that Java honours; the data plane knows them so as to refuse only what nobody knows.
const JAVA_KEYS: [&str; 5] = [
    "monitoring.heap_profile_interval",
    "monitoring.gc_pause_alert_ms",
    "monitoring.rss_flatness_window",
    "monitoring.rollback_sla_ms",
    "ci_native_integration",
];

pub(crate) fn wrong(key: &str, text: impl Display) -> EngineError {
    EngineError::Config { key: key.to_owned(), text: text.to_string() }
}

/// The lines not yet asked for.
pub(crate) struct Lines(BTreeMap<String, String>);

impl Lines {
    fn parse(text: &str) -> Result<Lines, EngineError> {
        let mut lines = BTreeMap::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let Some((key, value)) = line.split_once('=') else {
                return Err(wrong("configuration", format_args!("line {}: {line:?} is not key=value", index + 1)));
            };
            if lines.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(wrong(key, "stands twice"));
            }
        }
        Ok(Lines(lines))
    }

    pub(crate) fn text(&mut self, key: &str, default: &str) -> String {
        self.0.remove(key).unwrap_or_else(|| default.to_owned())
    }

    pub(crate) fn number<N>(&mut self, key: &str, default: N, allowed: RangeInclusive<N>) -> Result<N, EngineError>
    where
        N: FromStr + PartialOrd + Display,
    {
        let Some(found) = self.0.remove(key) else { return Ok(default) };
        let number = found.parse().ok().filter(|number| allowed.contains(number));
        let (low, high) = allowed.into_inner();
        number.ok_or_else(|| wrong(key, format_args!("found {found:?}; allowed is a number from {low} to {high}")))
    }

    pub(crate) fn choice<T: Copy>(
        &mut self,
        key: &str,
        default: &str,
        choices: &[(&str, T)],
    ) -> Result<T, EngineError> {
        let found = self.text(key, default);
        choices.iter().find(|(name, _)| *name == found).map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
            wrong(key, format_args!("found {found:?}; allowed: {}", names.join(", ")))
        })
    }

    fn only(&mut self, key: &str, allowed: &str, reason: &str) -> Result<(), EngineError> {
        let found = self.text(key, allowed);
        if found == allowed {
            Ok(())
        } else {
            Err(wrong(key, format_args!("found {found:?}; only {allowed}: {reason}")))
        }
    }

    /// How many items the list under `prefix` has: the numbers run from 0 without a hole.
    fn items(&self, prefix: &str) -> usize {
        let numbers = self.0.keys().filter_map(|key| key.strip_prefix(prefix)?.strip_prefix('.'));
        let numbers = numbers.filter_map(|rest| rest.split('.').next()?.parse::<usize>().ok());
        numbers.max().map_or(0, |highest| highest.saturating_add(1))
    }
}

impl Config {
    /// Reads a configuration.
    ///
    /// # Errors
    /// [`EngineError::Config`] with the key, what was found and what is allowed.
    pub fn parse(text: &str) -> Result<Config, EngineError> {
        let mut lines = Lines::parse(text)?;
        fixed_keys(&mut lines)?;
        let slots_max = lines.number("arena.capacity", 256_000, 1..=16_777_216)?;
        let edges_max = lines.number("graph.edges_max", 4_000_000, 1..=GRAPH_EDGES_MAX)?;
        let pathfinder_place = pathfinder_place(&mut lines, edges_max)?;
        let nodes_max = lines.number("graph.nodes_max", 1_000_000, 2..=NODES_MAX)?;
        let config = Config {
            worker_threads: lines.number("runtime.worker_threads", 0, 0..=256)?,
            sockets: lines.number("transport.sockets", 0, 0..=SOCKETS_MAX)?,
            max_blocking_threads: lines.number("runtime.max_blocking_threads", 4, 1..=512)?,
            thread_name: thread_name(&mut lines)?,
            pin_cores: pin_cores(&mut lines)?,
            idle_strategy: idle_strategy(&mut lines)?,
            region_place: region_place(&mut lines)?,
            slots_max,
            preallocate: lines.choice("arena.preallocate", "true", &[("true", true), ("false", false)])?,
            fragmentation_threshold: lines.number("arena.fragmentation_threshold", 0.05, 0.0..=1.0)?,
            bump_bytes: lines.number("arena.bump_mib", 64_usize, 1..=4_096)? << 20,
            tenants: tenants(&mut lines, slots_max)?,
            nodes_max,
            edges_max,
            pathfinder_place,
            route_budget: route_budget(&mut lines, pathfinder_place)?,
            route_queue: lines.number("graph.route_queue", 1_024, 1..=65_536)?,
            watches_max: watches_max(&mut lines, nodes_max)?,
            watch_budget: lines.number("graph.watch_budget", 50_000, 1..=1 << 32)?,
            window_bytes: lines.number("rollback.window_mib", 128_usize, 1..=65_536)? << 20,
            rollback_sla_ms: lines.number("rollback.sla_ms", 200, 1..=60_000)?,
            rollback_verify: rollback_verify(&mut lines)?,
            listen: listen(&mut lines)?,
            streams_max: lines.number("transport.stream_multiplexing", 128, 128..=4_096)?,
            handshake_target_ms: lines.number("transport.tls_handshake_target_ms", 3, 1..=60_000)?,
            certificate: certificate(&mut lines)?,
            client_certificates: client_certificates(&mut lines)?,
            auth: auth(&mut lines)?,
            slow_consumer_ms: lines.number("transport.slow_consumer_ms", 30_000, 100..=600_000)?,
            connections_max: lines.number("transport.connections_max", 60_000, 1..=1_000_000)?,
            channel_batches: lines.number("transport.channel_batches", 1_024, 1..=65_536)?,
            answer_buffer_bytes: lines.number("transport.answer_buffer_kib", 64_usize, 40..=4_096)? << 10,
            transport: transport_limits(&mut lines)?,
            bridge: bridge(&mut lines)?,
            log_level: log_level(&mut lines)?,
            log_bytes: power_of_two(&mut lines, "log.ring_kib", 512, 4..=16_384)? << 10,
            interest: interest(&mut lines)?,
            panic_at_revision: lines.number("testing.panic_at_revision", 0, 0..=u64::MAX)?,
        };
        match lines.0.into_iter().find(|(key, _)| !JAVA_KEYS.contains(&key.as_str())) {
            Some((key, value)) => Err(wrong(&key, format_args!("unknown key (value {value:?})"))),
            None => Ok(config),
        }
    }
}

fn fixed_keys(lines: &mut Lines) -> Result<(), EngineError> {
    lines.only("runtime.hot_path", "native_arena", "state on the Java heap is what this engine exists to avoid")?;
    lines.only("runtime.gc_managed_layer", "control_plane", "nothing else may live on the Java heap")?;
    lines.only("arena.slot_size_bytes", "256", "the wire contract fixes the size of a slot")?;
    lines.only("transport.protocol", "quic", "there is no other transport")?;
    lines.only("transport.zero_copy", "true", "there is no other path: a packet is copied once, into its page")
}

fn thread_name(lines: &mut Lines) -> Result<String, EngineError> {
    let name = lines.text("runtime.thread_name", "lodestone");
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=12).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(name);
    }
    Err(wrong("runtime.thread_name", format_args!("found {name:?}; allowed: 1 to 12 of a-z, 0-9 and -")))
}

fn pin_cores(lines: &mut Lines) -> Result<Vec<usize>, EngineError> {
    lines.only("runtime.pin_cores", "[]", "a list goes as runtime.pin_cores.0, .1")?;
    let count = lines.items("runtime.pin_cores");
    if count > 2 {
        return Err(wrong("runtime.pin_cores", "at most two cores: the engine thread's and the pathfinder's"));
    }
    let mut cores = Vec::new();
    for index in 0..count {
        let key = format!("runtime.pin_cores.{index}");
        let core = lines.number(&key, usize::MAX, 0..=1_023)?;
        if core == usize::MAX {
            return Err(wrong(&key, "is missing from the list"));
        }
        if cores.contains(&core) {
            return Err(wrong("runtime.pin_cores", format_args!("core {core} stands twice")));
        }
        cores.push(core);
    }
    Ok(cores)
}

fn idle_strategy(lines: &mut Lines) -> Result<IdleStrategy, EngineError> {
    let choices = [("park", IdleStrategy::Park), ("yield", IdleStrategy::Yield), ("busy_spin", IdleStrategy::BusySpin)];
    lines.choice("runtime.idle_strategy", "park", &choices)
}

fn pathfinder_place(lines: &mut Lines, edges_max: u32) -> Result<PathfinderPlace, EngineError> {
    let choices = [("thread", PathfinderPlace::Thread), ("inline", PathfinderPlace::Inline)];
    let place = lines.choice("graph.pathfinder", "thread", &choices)?;
    if place == PathfinderPlace::Inline && edges_max > INLINE_EDGES_MAX {
        let text = format_args!(
            "found inline with graph.edges_max {edges_max}; allowed is inline up to {INLINE_EDGES_MAX} edges, or thread"
        )
        .to_string();
        return Err(wrong("graph.pathfinder", text));
    }
    Ok(place)
}

fn route_budget(lines: &mut Lines, place: PathfinderPlace) -> Result<u64, EngineError> {
    let budget = lines.number("graph.route_budget", 4_000_000, 1..=1 << 32)?;
    Ok(if place == PathfinderPlace::Inline { budget.min(INLINE_BUDGET_MAX) } else { budget })
}

/// As many watches as asked for, if the labels of all of them find room in what a shared region may reasonably be.
fn watches_max(lines: &mut Lines, nodes_max: u32) -> Result<u32, EngineError> {
    let watches_max = lines.number("graph.watches_max", 4, 0..=WATCHES_MAX)?;
    let bytes = u64::from(watches_max) * u64::from(nodes_max) * 8;
    if bytes > WATCHED_BYTES_MAX {
        let text = format_args!(
            "{watches_max} watches of {nodes_max} nodes take {bytes} bytes; allowed are {WATCHED_BYTES_MAX}: lower it, or \
             graph.nodes_max"
        )
        .to_string();
        return Err(wrong("graph.watches_max", text));
    }
    Ok(watches_max)
}

fn rollback_verify(lines: &mut Lines) -> Result<RollbackVerify, EngineError> {
    let flags = [("false", false), ("true", true)];
    let on = lines.choice("rollback.verify", "false", &flags)?;
    Ok(match (lines.choice("testing.rollback_verify_fails", "false", &flags)?, on) {
        (true, _) => RollbackVerify::FailOnPurpose,
        (false, true) => RollbackVerify::On,
        (false, false) => RollbackVerify::Off,
    })
}

fn region_place(lines: &mut Lines) -> Result<RegionPlace, EngineError> {
    let folder = PathBuf::from(lines.text("runtime.shared_region_directory", "/dev/shm"));
    let file = lines.choice("runtime.shared_region", "file", &[("file", true), ("anonymous", false)])?;
    Ok(if file { RegionPlace::File(folder) } else { RegionPlace::Anonymous })
}

fn tenants(lines: &mut Lines, slots_max: u32) -> Result<Vec<TenantQuota>, EngineError> {
    lines.only("arena.tenants", "[]", "a list goes as arena.tenants.0.id and so on")?;
    let count = lines.items("arena.tenants");
    if count > 255 {
        return Err(wrong("arena.tenants", format_args!("{count} tenants; at most 255")));
    }
    let mut tenants: Vec<TenantQuota> = Vec::new();
    for index in 0..count {
        let key = |name: &str| format!("arena.tenants.{index}.{name}");
        let tenant = lines.number(&key("id"), 0, 1..=u32::MAX)?;
        if tenant == 0 {
            return Err(wrong(&key("id"), "is missing"));
        }
        if tenants.iter().any(|known| known.tenant == tenant) {
            return Err(wrong(&key("id"), format_args!("{tenant} stands twice")));
        }
        let guaranteed_slots = lines.number(&key("guaranteed_slots"), 0, 0..=slots_max)?;
        let slots_max = lines.number(&key("slots_max"), slots_max, guaranteed_slots.max(1)..=slots_max)?;
        tenants.push(TenantQuota { tenant, guaranteed_slots, slots_max });
    }
    let guaranteed: u64 = tenants.iter().map(|quota| u64::from(quota.guaranteed_slots)).sum();
    if guaranteed > u64::from(slots_max) {
        let text = format_args!("guaranteed_slots add up to {guaranteed}; arena.capacity is {slots_max}").to_string();
        return Err(wrong("arena.tenants", text));
    }
    Ok(tenants)
}

fn bridge(lines: &mut Lines) -> Result<BridgeSizes, EngineError> {
    let lanes = lines.number("bridge.lanes", 4, 1..=64)?;
    let lane_bytes = power_of_two(lines, "bridge.lane_kib", 64, 4..=16_384)? << 10;
    let ring_bytes = power_of_two(lines, "bridge.ring_kib", 1_024, 4..=65_536)? << 10;
    Ok(BridgeSizes { lanes, lane_bytes, ring_bytes })
}

fn interest(lines: &mut Lines) -> Result<InterestConfig, EngineError> {
    let policies = [("own", Policy::Own), ("all", Policy::All), ("granted", Policy::Granted), ("none", Policy::None)];
    Ok(InterestConfig {
        policy: lines.choice("fanout.policy", "own", &policies)?,
        subscriptions_max: lines.number("fanout.subscriptions_max", 65_536, 0..=1 << 26)?,
        session_max: lines.number("fanout.session_subscriptions_max", 1_024, 1..=1 << 26)?,
    })
}

fn log_level(lines: &mut Lines) -> Result<Option<LogLevel>, EngineError> {
    let choices = [
        ("off", None),
        ("error", Some(LogLevel::Error)),
        ("warn", Some(LogLevel::Warn)),
        ("info", Some(LogLevel::Info)),
        ("debug", Some(LogLevel::Debug)),
        ("trace", Some(LogLevel::Trace)),
    ];
    lines.choice("log.level", "info", &choices)
}

fn power_of_two(
    lines: &mut Lines,
    key: &str,
    default: usize,
    allowed: RangeInclusive<usize>,
) -> Result<usize, EngineError> {
    let number = lines.number(key, default, allowed)?;
    let text = || wrong(key, format_args!("found {number}; allowed is a power of two"));
    if number.is_power_of_two() { Ok(number) } else { Err(text()) }
}

fn listen(lines: &mut Lines) -> Result<SocketAddr, EngineError> {
    let found = lines.text("transport.listen", "127.0.0.1:4433");
    let resolved = found.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let text = || format!("found {found:?}; allowed is host:port of this machine, for example 127.0.0.1:4433");
    resolved.ok_or_else(|| wrong("transport.listen", text()))
}

fn certificate(lines: &mut Lines) -> Result<Certificate, EngineError> {
    let key = "transport.certificate";
    let files = ["certificate_file", "key_file"].map(|name| lines.0.remove(&format!("{key}.{name}")));
    match files {
        [Some(certificate), Some(private)] => {
            Ok(Certificate::Pem { certificate_file: certificate.into(), key_file: private.into() })
        }
        [None, None] => {
            lines.only(key, "self_signed", "or give certificate_file and key_file")?;
            Ok(Certificate::SelfSigned)
        }
        _ => Err(wrong(key, "certificate_file and key_file go together")),
    }
}

fn client_certificates(lines: &mut Lines) -> Result<ClientCertificates, EngineError> {
    let choices = [("off", 0), ("optional", 1), ("required", 2)];
    let wanted = lines.choice("transport.client_certificates", "off", &choices)?;
    let ca_file = PathBuf::from(lines.text("transport.client_ca_file", ""));
    if wanted > 0 && ca_file.as_os_str().is_empty() {
        return Err(wrong("transport.client_ca_file", "is missing; it names the authorities that sign for clients"));
    }
    Ok(match wanted {
        0 => ClientCertificates::Off,
        1 => ClientCertificates::Optional { ca_file },
        _ => ClientCertificates::Required { ca_file },
    })
}

fn auth(lines: &mut Lines) -> Result<Auth, EngineError> {
    let count = lines.items("transport.auth.keys");
    if count == 0 {
        lines.only("transport.auth", "none", "or give a list of keys")?;
        return Ok(Auth::None);
    }
    if count > 16 {
        return Err(wrong("transport.auth.keys", format_args!("{count} keys; at most 16")));
    }
    let mut keys: Vec<TokenKey> = Vec::new();
    for index in 0..count {
        let key = |name: &str| format!("transport.auth.keys.{index}.{name}");
        let id = lines.0.remove(&key("id")).and_then(|id| id.parse::<u32>().ok());
        let id = id.ok_or_else(|| wrong(&key("id"), "is missing or not a number from 0 to 4294967295"))?;
        if keys.iter().any(|known| known.id == id) {
            return Err(wrong(&key("id"), format_args!("{id} stands twice")));
        }
        let secret = lines.0.remove(&key("secret_hex")).and_then(|hex| from_hex(&hex));
        let secret = secret.filter(|secret| secret.len() >= 32);
        let secret = secret.ok_or_else(|| wrong(&key("secret_hex"), "needs at least 32 bytes as 64 hex digits"))?;
        keys.push(TokenKey { id, secret });
    }
    Ok(Auth::Tokens(keys))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn the_empty_configuration_is_the_default() {
        let config = Config::parse("").unwrap();
        assert_eq!((config.slots_max, config.nodes_max, config.edges_max), (256_000, 1_000_000, 4_000_000));
        assert_eq!(config.listen, "127.0.0.1:4433".parse().unwrap());
        assert_eq!(config.region_place, RegionPlace::File("/dev/shm".into()));
    }

    #[test]
    fn lists_and_nested_keys_are_read() {
        let secret = "0f".repeat(32);
        let text = format!(
            "arena.capacity=100\narena.tenants.0.id=7\narena.tenants.0.guaranteed_slots=10\narena.tenants.1.id=8\n\
             runtime.pin_cores.0=1\ntransport.auth.keys.0.id=3\ntransport.auth.keys.0.secret_hex={secret}\n\
             transport.certificate.certificate_file=a.pem\ntransport.certificate.key_file=b.pem\n\
             transport.client_certificates=required\ntransport.client_ca_file=c.pem\n\
             ci_native_integration=true\nmonitoring.rollback_sla_ms=200"
        );
        let config = Config::parse(&text).unwrap();
        assert_eq!(config.tenants[0], TenantQuota { tenant: 7, guaranteed_slots: 10, slots_max: 100 });
        assert_eq!(config.tenants[1], TenantQuota { tenant: 8, guaranteed_slots: 0, slots_max: 100 });
        assert_eq!(config.pin_cores, [1]);
        assert!(matches!(&config.auth, Auth::Tokens(keys) if keys[0].id == 3 && keys[0].secret == [15; 32]));
        assert!(matches!(config.certificate, Certificate::Pem { .. }));
        assert_eq!(config.client_certificates, ClientCertificates::Required { ca_file: "c.pem".into() });
    }

    #[test]
    fn a_route_found_by_the_engine_thread_has_a_budget_that_moves_can_wait_for() {
        let inline = "graph.pathfinder=inline\ngraph.edges_max=1000000\n";
        let budget = |text: &str| Config::parse(text).unwrap().route_budget;
        assert_eq!(budget(inline), INLINE_BUDGET_MAX);
        assert_eq!(budget(&format!("{inline}graph.route_budget=7")), 7);
        assert_eq!(budget("graph.pathfinder=thread"), 4_000_000);
    }

    #[test]
    fn every_wrong_value_is_refused_with_its_key() {
        let cases = [
            ("runtime.hot_path=heap", "runtime.hot_path"),
            ("runtime.thread_name=Too Long A Name", "runtime.thread_name"),
            ("runtime.pin_cores.1=0", "runtime.pin_cores.0"),
            ("runtime.pin_cores=[1]", "runtime.pin_cores"),
            ("runtime.pin_cores.0=3\nruntime.pin_cores.1=3", "core 3 stands twice"),
            ("runtime.idle_strategy=sleep", "park, yield, busy_spin"),
            ("arena.capacity=0", "1 to 16777216"),
            ("arena.slot_size_bytes=128", "arena.slot_size_bytes"),
            ("arena.fragmentation_threshold=2", "arena.fragmentation_threshold"),
            ("arena.tenants.0.guaranteed_slots=1", "arena.tenants.0.id"),
            ("arena.tenants.0.id=1\narena.tenants.1.id=1", "stands twice"),
            (
                "arena.capacity=5\narena.tenants.0.id=1\narena.tenants.0.guaranteed_slots=3\narena.tenants.1.id=2\n\
              arena.tenants.1.guaranteed_slots=3",
                "add up to 6",
            ),
            ("graph.nodes_max=1", "graph.nodes_max"),
            ("rollback.window_mib=x", "rollback.window_mib"),
            ("rollback.verify=1", "true"),
            ("graph.watches_max=65", "0 to 64"),
            (
                "graph.watches_max=17\ngraph.nodes_max=134217728",
                "graph.watches_max: 17 watches of 134217728 nodes take 1825",
            ),
            ("graph.watch_budget=0", "graph.watch_budget"),
            ("graph.pathfinder=own", "thread, inline"),
            ("graph.pathfinder=inline\ngraph.edges_max=1000001", "inline up to 1000000 edges, or thread"),
            ("transport.protocol=tcp", "transport.protocol"),
            ("transport.zero_copy=false", "transport.zero_copy"),
            ("transport.listen=nowhere", "transport.listen"),
            ("transport.stream_multiplexing=127", "128 to 4096"),
            ("transport.certificate=mine", "transport.certificate"),
            ("transport.certificate.key_file=a", "go together"),
            ("transport.client_certificates=some", "off, optional, required"),
            ("transport.client_certificates=optional", "transport.client_ca_file: is missing"),
            ("transport.auth=basic", "transport.auth"),
            ("transport.auth.keys.0.id=1\ntransport.auth.keys.0.secret_hex=00", "64 hex digits"),
            ("transport.auth.keys.0.secret_hex=00", "transport.auth.keys.0.id"),
            ("bridge.lane_kib=48", "power of two"),
            ("bridge.ring_kib=2", "4 to 65536"),
            ("bridge.lanes=0", "1 to 64"),
            ("log.level=loud", "off, error, warn, info, debug, trace"),
            ("log.ring_kib=5", "power of two"),
            ("fanout.policy=mine", "own, all, granted, none"),
            ("fanout.subscriptions_max=67108865", "0 to 67108864"),
            ("fanout.session_subscriptions_max=0", "1 to 67108864"),
            ("graph.nodes=5", "graph.nodes: unknown key"),
            ("nonsense", "is not key=value"),
            ("arena.capacity=5\narena.capacity=6", "stands twice"),
        ];
        for (text, expected) in cases {
            let error = error_of(text);
            assert!(error.contains(expected), "{text:?} gave {error:?}");
        }
    }
}
