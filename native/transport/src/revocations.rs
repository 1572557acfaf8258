//! Tokens that were revoked before their time, and the file in which they outlive the engine.
//!
//! The file is text: a first line that names it, then a line for each token with its nonce (16 hexadecimal digits) and when the token
//! expires by itself (Unix milliseconds, 0 where that is not known), in which it stays for a day more. It is written anew and put in place of the old one as a
//! whole, so that whoever reads it finds one or the other. The file beside it whose name ends in `.lock` belongs to the engine
//! that uses it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::TransportError;

/// Revoked tokens that are remembered: 262,144 take about 6 MiB, and a full set refuses rather than forgets.
const REVOCATIONS_MAX: usize = 1 << 18;
/// Names the file and its version.
const FIRST_LINE: &str = "lodestone revocations 1";
/// Longest file that is read: the first line and as many lines as tokens are remembered, and as many again that have expired.
const FILE_BYTES_MAX: u64 = 2 * (REVOCATIONS_MAX as u64) * 38;
/// How long a token is kept in the file after it has expired: a clock that was ahead for a while, and is set right, must not
/// bring a revoked token back. Without room they go sooner.
const GRACE_MS: u64 = 24 * 60 * 60 * 1000;
/// When a token expires that nobody has shown yet.
const UNKNOWN: u64 = u64::MAX;

/// Why a revocation failed.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// As many tokens as are remembered are revoked already; nothing was done.
    #[error("{REVOCATIONS_MAX} tokens are revoked already: replace the key instead")]
    Full,
    /// The token is refused from now on, and by this engine only: the file was not written.
    #[error(
        "the token is refused until this engine ends, but {} cannot be written: {source}; make room or mend the folder, and \
         revoke it again", .path.display()
    )]
    NotWritten {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Names of tokens that open no session, each with the instant from which on it would not anyway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Revoked(BTreeMap<u64, u64>);

impl Revoked {
    pub(crate) fn contains(&self, nonce: u64) -> bool {
        self.0.contains_key(&nonce)
    }

    /// A genuine token of this name expires then.
    pub(crate) fn learn(&mut self, nonce: u64, expires_unix_ms: u64) {
        if let Some(known) = self.0.get_mut(&nonce) {
            // Several tokens may have one name: it counts until the last of them is over.
            *known = if *known == UNKNOWN { expires_unix_ms } else { expires_unix_ms.max(*known) };
        }
    }

    /// Adds a name; `false` when there is no room, with nothing changed.
    pub(crate) fn add(&mut self, nonce: u64, expires_unix_ms: Option<u64>, now_unix_ms: u64) -> bool {
        if self.0.len() >= REVOCATIONS_MAX && !self.contains(nonce) {
            self.forget_expired(now_unix_ms);
            if self.0.len() >= REVOCATIONS_MAX {
                return false;
            }
        }
        self.0.entry(nonce).or_insert(UNKNOWN);
        if let Some(expires_unix_ms) = expires_unix_ms {
            self.learn(nonce, expires_unix_ms);
        }
        true
    }

    /// Leaves out those that expired longer ago than the grace.
    fn forget_long_expired(&mut self, now_unix_ms: u64) {
        self.forget_expired(now_unix_ms.saturating_sub(GRACE_MS));
    }

    fn forget_expired(&mut self, now_unix_ms: u64) {
        self.0.retain(|_, expires_unix_ms| *expires_unix_ms > now_unix_ms);
    }

    fn text(&self) -> String {
        let mut text = String::with_capacity((self.0.len() + 1) * 32);
        text.push_str(FIRST_LINE);
        text.push('\n');
        for (nonce, expires_unix_ms) in &self.0 {
            let known = if *expires_unix_ms == UNKNOWN { 0 } else { *expires_unix_ms };
            // Writing to a string does not fail.
            let _ = writeln!(text, "{nonce:016x} {known}");
        }
        text
    }

    fn parse(text: &str, now_unix_ms: u64) -> Result<Revoked, String> {
        let mut lines = text.lines();
        if lines.next() != Some(FIRST_LINE) {
            return Err(format!("its first line is not \"{FIRST_LINE}\""));
        }
        let mut revoked = Revoked::default();
        for (index, line) in lines.enumerate() {
            let (nonce, expires) =
                token_of(line).ok_or_else(|| format!("line {} is not a nonce and a time", index + 2))?;
            if !revoked.add(nonce, (expires > 0).then_some(expires), now_unix_ms) {
                return Err(format!("it holds more than {REVOCATIONS_MAX} tokens"));
            }
        }
        revoked.forget_long_expired(now_unix_ms);
        Ok(revoked)
    }
}

fn token_of(line: &str) -> Option<(u64, u64)> {
    let (nonce, expires) = line.split_once(' ')?;
    let digits = |text: &str, radix| text.chars().all(|digit| digit.is_digit(radix));
    let good = nonce.len() == 16 && digits(nonce, 16) && digits(expires, 10);
    let parsed = (u64::from_str_radix(nonce, 16).ok()?, expires.parse().ok()?);
    good.then_some(parsed)
}

/// Where revocations outlive the engine.
pub(crate) struct RevocationsFile {
    path: PathBuf,
    /// Held while revocations are added and written, so that they reach the file in their order.
    writing: Mutex<()>,
    /// Locked as long as this engine uses the file.
    _lock: File,
}

impl RevocationsFile {
    /// Takes the file for this engine, makes it where there is none, and reads it. What expired a day ago or longer is left
    /// out, but the file stays as it is: the clock may be wrong today.
    ///
    /// # Errors
    /// Another engine has it, it cannot be read or written, or it holds something else.
    pub(crate) fn open(path: &Path, now_unix_ms: u64) -> Result<(RevocationsFile, Revoked), TransportError> {
        let fault = |reason: String| TransportError::RevocationsFile { path: path.to_owned(), reason };
        let system = |error: io::Error| fault(error.to_string());
        let lock = File::create(beside(path, ".lock")).map_err(system)?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => fault("another engine uses it".to_owned()),
            fs::TryLockError::Error(error) => system(error),
        })?;
        let file = RevocationsFile { path: path.to_owned(), writing: Mutex::new(()), _lock: lock };
        // That it can be written is found out now, and not when somebody has to be kept out.
        let revoked = match read(path) {
            Ok(text) => {
                file.try_folder().map_err(system)?;
                Revoked::parse(&text, now_unix_ms).map_err(fault)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                file.put(&Revoked::default()).map_err(system)?;
                Revoked::default()
            }
            Err(error) => return Err(system(error)),
        };
        Ok((file, revoked))
    }

    /// Held by whoever adds to the revocations and writes them.
    pub(crate) fn turn(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes all of them. Waits for the disk.
    ///
    /// # Errors
    /// [`RevokeError::NotWritten`]: the file is as it was.
    pub(crate) fn write(&self, revoked: &Revoked, now_unix_ms: u64) -> Result<(), RevokeError> {
        let mut live = revoked.clone();
        live.forget_long_expired(now_unix_ms);
        self.put(&live).map_err(|source| RevokeError::NotWritten { path: self.path.clone(), source })
    }

    /// Whether a new file can take the place of the old one.
    fn try_folder(&self) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        File::create(&new)?;
        fs::remove_file(&new)
    }

    fn put(&self, revoked: &Revoked) -> io::Result<()> {
        let new = beside(&self.path, ".new");
        let mut file = File::create(&new)?;
        file.write_all(revoked.text().as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &self.path)?;
        // The new name has to outlive a loss of power as well.
        File::open(self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")))?
            .sync_all()
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too long for a file of revocations"));
    }
    fs::read_to_string(path)
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        fs::write(&path, text).unwrap();
        match RevocationsFile::open(&path, 1) {
            Ok(_) => panic!("accepted: {text:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn what_was_written_is_read_again_and_what_expired_a_day_ago_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revoked");
        let now = GRACE_MS + 1000;
        let (file, mut revoked) = RevocationsFile::open(&path, now).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "lodestone revocations 1\n");
        for (nonce, expires_unix_ms) in [(1, Some(2000)), (u64::MAX, None), (3, Some(3000)), (4, Some(1000))] {
            assert!(revoked.add(nonce, expires_unix_ms, now));
        }
        file.write(&revoked, now).unwrap();
        assert!(RevocationsFile::open(&path, now).is_err_and(|error| error.to_string().contains("another engine")));
        drop(file);
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(
            written,
            "lodestone revocations 1\n0000000000000001 2000\n0000000000000003 3000\nffffffffffffffff 0\n"
        );
        // A clock that is ahead takes nothing out of the file, and once it is set right all count again.
        for (now, expected) in [(GRACE_MS + 2000, [3, u64::MAX].as_slice()), (GRACE_MS + 1999, &[1, 3, u64::MAX])] {
            let (_file, again) = RevocationsFile::open(&path, now).unwrap();
            let known: Vec<u64> = [1, 3, 4, u64::MAX].into_iter().filter(|nonce| again.contains(*nonce)).collect();
            assert_eq!(known, expected, "at {now}");
            assert_eq!(fs::read_to_string(&path).unwrap(), written, "not written anew");
            assert!(!beside(&path, ".new").exists(), "the trial is taken away");
        }
    }

    #[test]
    fn anything_else_in_its_place_is_refused_with_the_reason() {
        let first = FIRST_LINE;
        for (text, part) in [
            (String::new(), "first line"),
            ("lodestone revocations 2\n".to_owned(), "first line"),
            (format!("{first}\n0000000000000001 5\n000000000000000g 5\n"), "line 3"),
            (format!("{first}\n+000000000000001 5\n"), "line 2"),
            (format!("{first}\n1 5\n"), "line 2"),
            (format!("{first}\n0000000000000001\n"), "line 2"),
            (format!("{first}\n0000000000000001 +5\n"), "line 2"),
            (format!("{first}\n0000000000000001 99999999999999999999\n"), "line 2"),
            (" ".repeat(FILE_BYTES_MAX as usize + 1), "too long"),
        ] {
            let error = fault_of(&text);
            assert!(error.contains(part) && error.contains("revoked"), "{error}");
        }
        let missing = Path::new("no such folder/revoked");
        assert!(RevocationsFile::open(missing, 1).is_err_and(|error| error.to_string().contains("no such folder")));
    }

    #[test]
    fn a_full_set_forgets_what_has_expired_and_refuses_the_rest() {
        let mut revoked = Revoked::default();
        for nonce in 0..REVOCATIONS_MAX as u64 {
            assert!(revoked.add(nonce, (nonce == 7).then_some(2000), 1000));
        }
        assert!(!revoked.add(u64::MAX, None, 1999));
        assert!(revoked.add(7, None, 1999), "it is there already");
        assert!(revoked.add(u64::MAX, None, 2000));
        assert!(!revoked.contains(7) && !revoked.add(7, None, 2000));
        // The longest file that is ever written is read again.
        assert!((revoked.text().len() as u64) < FILE_BYTES_MAX);
        assert_eq!(Revoked::parse(&revoked.text(), 2000).unwrap().0.len(), REVOCATIONS_MAX);
    }

    #[test]
    fn a_name_counts_until_the_last_token_that_has_it_is_over() {
        let mut revoked = Revoked::default();
        assert!(revoked.add(1, None, 0));
        revoked.learn(1, 500);
        revoked.learn(1, 400);
        revoked.learn(2, 400);
        revoked.forget_expired(499);
        assert!(revoked.contains(1) && !revoked.contains(2));
        revoked.forget_expired(500);
        assert!(!revoked.contains(1));
    }
}
