//! The product's own stand-alone engine, as a process.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running engine; it is killed when it is dropped.
pub struct Served {
    process: Child,
    folder: PathBuf,
    pub address: SocketAddr,
    pub certificate: PathBuf,
}

impl Served {
    /// Starts one with this configuration (YAML, with the key `transport`).
    ///
    /// # Panics
    /// When it does not become ready; its log is on standard error.
    pub fn start(configuration: &str) -> Served {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3).expect("three folders up is the root");
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("lodestone-quiche-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the configuration");
        let file = folder.join("engine.yaml");
        std::fs::write(&file, configuration).expect("the configuration is written");
        let mut process = Command::new(root.join("native/target/release/lodestoned"))
            .arg("--config")
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .expect("lodestoned is built: ci/build.sh native");
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().expect("its output is ours"))
            .read_line(&mut line)
            .expect("a line of the engine");
        let field = |name: &str| {
            let found = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            found.unwrap_or_else(|| panic!("{line:?} has no {name}")).to_owned()
        };
        let address = field("quic=").parse().expect("an address");
        let certificate = PathBuf::from(field("cert="));
        Served { process, folder, address, certificate }
    }

    /// Asks it to end, and does not wait.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn terminate(&self) {
        let done = Command::new("kill").arg(self.process.id().to_string()).status();
        assert!(done.is_ok_and(|status| status.success()), "the engine was gone");
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Whatever fails here has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
