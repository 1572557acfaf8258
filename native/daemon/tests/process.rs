//! The program as its users meet it: a process with signals, exit statuses and files.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for anything; a machine under load is slow.
const LIMIT: Duration = Duration::from_secs(180);

const SMALL: &str = "\
arena: {capacity: 100, bump_mib: 1}
graph: {nodes_max: 1000, edges_max: 1000}
rollback: {window_mib: 1}
";

/// A folder with a configuration whose region and temporary files lie in it.
struct Home {
    folder: tempfile::TempDir,
}

struct Daemon {
    child: Child,
    out: BufReader<ChildStdout>,
}

struct End {
    status: Option<i32>,
    /// Standard error without the lines of the log.
    err: String,
    log: Vec<String>,
}

impl Home {
    fn new(more: &str) -> Home {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("regions")).unwrap();
        fs::create_dir(folder.path().join("temporary")).unwrap();
        let runtime = "runtime: {worker_threads: 1, shared_region_directory: regions}\n";
        fs::write(folder.path().join("config.yaml"), format!("{SMALL}{runtime}{more}")).unwrap();
        Home { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, arguments: &[&str]) -> Daemon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lodestoned"))
            .arg("--config")
            .arg(self.path("config.yaml"))
            .args(arguments)
            .env("TMPDIR", self.path("temporary"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Daemon { child, out }
    }

    fn files(&self, name: &str) -> Vec<PathBuf> {
        fs::read_dir(self.path(name)).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Daemon {
    /// The fields of the READY line.
    fn ready(&mut self) -> [String; 4] {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        let fields: Vec<&str> = line.trim_end().split(' ').collect();
        let [_, _, quic, cert, pid, region] = fields[..] else {
            panic!("no READY line but {line:?}, {}", self.rest_of_err())
        };
        assert!(line.starts_with("LODESTONE READY quic="), "{line}");
        [("quic=", quic), ("cert=", cert), ("pid=", pid), ("region=", region)]
            .map(|(name, field)| field.strip_prefix(name).unwrap_or_else(|| panic!("{line}")).to_owned())
    }

    fn rest_of_err(&mut self) -> String {
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        err
    }

    /// The next line of standard error, of a process that goes on.
    fn line_of_err(&mut self) -> String {
        let (mut line, mut byte) = (Vec::new(), [0]);
        while byte != *b"\n" {
            // No more at once than is wanted: the rest is for who asks later.
            self.child.stderr.as_mut().unwrap().read_exact(&mut byte).unwrap();
            line.extend(byte);
        }
        String::from_utf8(line).unwrap()
    }

    fn signal(&self, signal: Signal) {
        // A process that has ended by itself is not waited for yet, so the number is still its own.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn end(mut self) -> End {
        let begun = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            if begun.elapsed() > LIMIT {
                self.child.kill().unwrap();
                panic!("still running after {LIMIT:?}: {}", self.rest_of_err());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().unwrap().code();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "standard output has more than the READY line");
        let all = self.rest_of_err();
        let (log, err): (Vec<&str>, Vec<&str>) = all.split_inclusive('\n').partition(|line| line.starts_with("20"));
        End { status, err: err.concat(), log: log.into_iter().map(str::to_owned).collect() }
    }
}

fn word_at(region: &Path, offset: usize) -> u64 {
    let bytes = fs::read(region).unwrap();
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().unwrap())
}

#[test]
fn both_signals_end_it_cleanly_and_leave_nothing_behind() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new("");
        let mut daemon = home.start(&["--port", "0"]);
        let [quic, certificate, pid, region] = daemon.ready();
        assert!(quic.starts_with("127.0.0.1:") && !quic.ends_with(":0"), "{quic}");
        assert_eq!(pid, daemon.child.id().to_string());
        assert!(fs::read_to_string(&certificate).unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        assert_eq!(fs::metadata(&certificate).unwrap().permissions().mode() & 0o777, 0o600);
        let region = PathBuf::from(region);
        assert_eq!(home.files("regions"), std::slice::from_ref(&region));
        assert_eq!(fs::metadata(&region).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(word_at(&region, 0), u64::from_le_bytes(*b"LODESTN1"));
        assert_eq!(word_at(&region, 16), 0, "an ABI fingerprint without a C edge");
        assert_eq!(word_at(&region, 32), u64::from(daemon.child.id()) << 32 | 2, "running, with this process id");
        daemon.signal(signal);
        let end = daemon.end();
        assert_eq!((end.status, end.err.as_str()), (Some(0), ""), "{signal:?}");
        assert!(
            end.log.iter().any(|line| line.contains(&format!(" INFO  transport::server: listening address={quic} ")))
        );
        assert!(end.log.last().is_some_and(|line| line.contains(": closed revision=0")), "{:?}", end.log);
        assert_eq!(home.files("regions"), [] as [PathBuf; 0]);
        assert_eq!(home.files("temporary"), [] as [PathBuf; 0]);
    }
}

#[test]
fn a_signal_at_any_moment_of_the_start_leaves_nothing_behind() {
    for delay_ms in [0, 1, 2, 4, 8, 16, 32, 64] {
        let home = Home::new("transport: {listen: '127.0.0.1:0'}\n");
        let daemon = home.start(&[]);
        std::thread::sleep(Duration::from_millis(delay_ms));
        daemon.signal(Signal::TERM);
        let mut daemon = daemon;
        let mut line = String::new();
        daemon.out.read_line(&mut line).unwrap();
        let end = daemon.end();
        // Before the signals are taken over, the system ends the process, and then there is nothing to take down.
        assert!(
            end.status == Some(0) || end.status.is_none() && line.is_empty(),
            "{delay_ms} ms: {:?} {}",
            end.status,
            end.err
        );
        assert_eq!(home.files("regions"), [] as [PathBuf; 0], "{delay_ms} ms: {line}");
        assert_eq!(home.files("temporary"), [] as [PathBuf; 0], "{delay_ms} ms: {line}");
    }
}

#[test]
fn what_a_killed_one_left_is_removed_by_the_next() {
    let home = Home::new("");
    let mut killed = home.start(&["--port", "0"]);
    let [_, _, _, left] = killed.ready();
    killed.signal(Signal::KILL);
    assert_eq!(killed.end().status, None);
    assert_eq!(home.files("regions"), [PathBuf::from(&left)]);
    let mut next = home.start(&["--port", "0"]);
    let [_, _, _, region] = next.ready();
    assert_ne!(region, left);
    assert_eq!(home.files("regions"), [PathBuf::from(&region)]);
    next.signal(Signal::TERM);
    assert_eq!(next.end().status, Some(0));
}

#[test]
fn what_hinders_it_is_told_and_leaves_nothing_behind() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let home = Home::new("");
    let end = home.start(&["--port", &port]).end();
    assert_eq!(end.status, Some(1));
    assert!(end.err.contains(&format!("127.0.0.1:{port}")), "{}", end.err);
    assert_eq!(home.files("regions"), [] as [PathBuf; 0]);

    let end = home.start(&["--port", "0", "--graph", "absent.lsg"]).end();
    assert_eq!(end.status, Some(1));
    assert!(end.err.starts_with("lodestoned: absent.lsg: "), "{}", end.err);
    assert_eq!(home.files("regions"), [] as [PathBuf; 0]);

    // A folder in which nobody, not even the system's own user, can make a file.
    fs::write(home.path("config.yaml"), "runtime:\n  shared_region_directory: /proc\n").unwrap();
    let end = home.start(&["--port", "0"]).end();
    assert_eq!(end.status, Some(1));
    assert!(end.err.contains("/proc/lodestone-") && end.err.contains("runtime.shared_region_directory"), "{}", end.err);

    fs::write(home.path("config.yaml"), "runtime:\n  shared_region: anonymous\n").unwrap();
    let end = home.start(&[]).end();
    assert_eq!(end.status, Some(1));
    let place = format!("lodestoned: {}:2: runtime.shared_region: ", home.path("config.yaml").display());
    assert!(end.err.starts_with(&place), "{}", end.err);
}

#[test]
fn a_graph_is_loaded_before_the_ready_line() {
    let home = Home::new("");
    let arcs: [u32; 6] = [1, 2, 7, 2, 3, 7];
    fs::write(home.path("two.arcs"), arcs.map(u32::to_le_bytes).concat()).unwrap();
    let mut daemon = home.start(&["--port", "0", "--graph", home.path("two.arcs").to_str().unwrap()]);
    let [_, _, _, region] = daemon.ready();
    assert_eq!(word_at(Path::new(&region), 1056), 2, "edges in the commit line");
    daemon.signal(Signal::TERM);
    let end = daemon.end();
    assert_eq!(end.status, Some(0));
    assert!(end.err.contains("two.arcs: 2 arcs in "), "{}", end.err);
}

#[test]
fn a_hangup_takes_up_a_good_certificate_and_keys_and_refuses_bad_ones() {
    let home = Home::new("transport: {certificate: {certificate_file: chain.pem, key_file: key.pem}}\n");
    let renew = || {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::write(home.path("chain.pem"), made.cert.pem()).unwrap();
        fs::write(home.path("key.pem"), made.signing_key.serialize_pem()).unwrap();
    };
    renew();
    let mut daemon = home.start(&["--port", "0"]);
    let [.., region] = daemon.ready();
    let mut log = Vec::new();
    let mut hangup = || {
        daemon.signal(Signal::HUP);
        loop {
            let line = daemon.line_of_err();
            if line.starts_with("lodestoned: ") {
                return line;
            }
            log.push(line);
        }
    };
    let first = hangup();
    assert!(first.contains("were read again; certificate SHA-256 "), "{first}");
    renew();
    let second = hangup();
    assert!(second.contains("were read again") && second != first, "{second}");
    fs::write(home.path("key.pem"), "no key").unwrap();
    let refused = hangup();
    assert!(refused.contains("stay as they were: key file") && refused.contains("key.pem"), "{refused}");
    renew();
    let good = fs::read_to_string(home.path("config.yaml")).unwrap();
    let more = format!(
        "transport: {{certificate: self_signed, auth: {{keys: [{{id: 1, secret_hex: {}}}]}}}}",
        "5a".repeat(32)
    );
    let changed = good.replace("transport: {certificate: {certificate_file: chain.pem, key_file: key.pem}}", &more);
    fs::write(home.path("config.yaml"), changed.replace("secret_hex: 5a5a", "secret_hex: zz5a")).unwrap();
    let refused = hangup();
    assert!(
        refused.contains("stay as they were: ") && refused.contains("config.yaml:5: transport.auth.keys.0"),
        "{refused}"
    );
    assert!(!refused.contains("5a5a"), "a secret in a message");
    fs::write(home.path("config.yaml"), changed).unwrap();
    assert!(hangup().contains("were read again"));
    // Counters 50 and 51; the section of counters is the first.
    let counters = word_at(Path::new(&region), 64 + 8) as usize;
    assert_eq!([50, 51].map(|place| word_at(Path::new(&region), counters + 8 * place)), [3, 1]);
    daemon.signal(Signal::TERM);
    let end = daemon.end();
    assert_eq!(end.status, Some(0));
    log.extend(end.log);
    for wanted in [
        "INFO  transport::server: certificate and token keys were taken up anew",
        "WARN  transport::server: certificate",
    ] {
        assert!(log.iter().any(|line| line.contains(wanted)), "no {wanted:?} in {log:?}");
    }
}

#[test]
fn the_command_line_is_checked() {
    let run = |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_lodestoned")).args(arguments).output().unwrap();
    let wrong = run(&["--speed"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(String::from_utf8(wrong.stderr).unwrap().contains("--help"));
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Usage: lodestoned --config FILE"));
}
