//! Processes: who a producer is, and whether it still lives. Linux tells both in `/proc`.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// A process that no other can be taken for, not even one that gets its number later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessIdentity {
    /// Its number.
    pub pid: u32,
    /// When it started, clock ticks since the machine's boot.
    pub start_ticks: u64,
    /// The namespace in which it has this number.
    pub namespace: u64,
}

impl ProcessIdentity {
    /// This process; `None` where the system does not tell.
    pub fn own() -> Option<ProcessIdentity> {
        let pid = std::process::id();
        let (start_ticks, _) = look(pid)?;
        let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        Some(ProcessIdentity { pid, start_ticks, namespace })
    }

    /// Whether the process has certainly ended, as seen from a process of namespace `own_namespace`. One of another
    /// namespace has another number here, so nothing is ever certain about it.
    pub fn is_dead(&self, own_namespace: u64) -> bool {
        if self.namespace != own_namespace {
            return false;
        }
        match look(self.pid) {
            Some((start_ticks, _)) if start_ticks != self.start_ticks => true,
            // Ended and not yet waited for by its parent. Its first thread may end before the others do.
            Some((_, state)) => matches!(state, b'Z' | b'X') && threads(self.pid) <= 1,
            // Absent is certain only where others can be seen.
            None => self.is_gone(),
        }
    }

    /// Whether no process of this number is there, where processes can be seen at all.
    pub(crate) fn is_gone(&self) -> bool {
        look(std::process::id()).is_some() && !fs::exists(format!("/proc/{}", self.pid)).unwrap_or(true)
    }
}

/// Threads of a process that have not ended, its first one included whatever its state.
fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// Start and state of a process. Its name stands in brackets and may hold anything, brackets too.
fn look(pid: u32) -> Option<(u64, u8)> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let behind_name = text.iter().rposition(|byte| *byte == b')')? + 1;
    let mut fields = text[behind_name..].split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let state = *fields.next()?.first()?;
    // The 22nd field; the state is the third.
    let start = fields.nth(22 - 4)?;
    Some((std::str::from_utf8(start).ok()?.parse().ok()?, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_others_with_its_number_do_not() {
        let own = ProcessIdentity::own().unwrap();
        assert_eq!(own.pid, std::process::id());
        assert!(!own.is_dead(own.namespace));
        let earlier = ProcessIdentity { start_ticks: own.start_ticks - 1, ..own };
        assert!(earlier.is_dead(own.namespace));
        assert!(!earlier.is_dead(own.namespace + 1), "nothing is certain about another namespace");
        let nobody = ProcessIdentity { pid: u32::MAX, ..own };
        assert!(nobody.is_dead(own.namespace));
    }

    #[test]
    fn a_process_that_ended_is_dead_before_its_parent_waits() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let (start_ticks, _) = look(child.id()).unwrap();
        let own = ProcessIdentity::own().unwrap();
        let identity = ProcessIdentity { pid: child.id(), start_ticks, namespace: own.namespace };
        assert!(!identity.is_dead(own.namespace));
        child.kill().unwrap();
        while !identity.is_dead(own.namespace) {
            std::hint::spin_loop();
        }
        child.wait().unwrap();
        assert!(identity.is_dead(own.namespace));
    }
}
