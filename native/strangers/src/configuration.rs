//! Configuration: the file that a stand-alone engine reads, and the lines that the C edge hands over.

use std::path::Path;

use lodestone_runtime::Config;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    // Names of hosts would be asked for in the network.
    let text: String = text.lines().filter(|line| !line.contains("listen")).map(|line| format!("{line}\n")).collect();
    if let Ok(flat) = lodestone_daemon::flat_lines(&text, Path::new("/configuration.yaml")) {
        assert!(Config::parse(&flat).is_ok(), "what the file's reader accepts the engine accepts: {flat}");
    }
    // A line with a number as its first character, behind the keys that have to be there, is as good as any other.
    let _ = Config::parse(&text);
}
