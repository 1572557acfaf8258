//! The engine's log records on standard error, one a line.
//!
//! A thread of its own takes them from the log ring: whoever reads standard error may be slow or gone, and the engine does
//! not wait for that.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use lodestone_runtime::{LogReader, LogView};

/// How often it looks for records.
const LOOK: Duration = Duration::from_millis(20);

/// Longest wait at the end for a standard error that takes nothing.
const END_WAIT: Duration = Duration::from_millis(500);

/// The thread.
pub(crate) struct LogLines {
    ending: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl LogLines {
    /// Starts to write what the reader finds. From then on the engine's close waits for a moment until all is written.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub(crate) fn start(reader: LogReader) -> io::Result<LogLines> {
        reader.ring().tell_taken(reader.position());
        let ending = Arc::new(AtomicBool::new(false));
        let end = Arc::clone(&ending);
        let thread = thread::Builder::new().name("lodestoned-log".to_owned()).spawn(move || run(reader, &end))?;
        Ok(LogLines { ending, thread })
    }

    /// After the engine's close: ends the thread, unless it is held up.
    pub(crate) fn end(self) {
        self.ending.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let begun = Instant::now();
        while !self.thread.is_finished() && begun.elapsed() < END_WAIT {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

fn run(mut reader: LogReader, ending: &AtomicBool) {
    let mut missed = 0;
    while !ending.load(Ordering::Relaxed) {
        let before = reader.position();
        let view = reader.poll();
        if reader.missed() > missed {
            say(&format!("{} log records were overwritten before they could be written", reader.missed() - missed));
            missed = reader.missed();
        }
        match view {
            Some(view) => say(&Line(&view).to_string()),
            None => thread::park_timeout(LOOK),
        }
        if reader.position() != before {
            reader.ring().tell_taken(reader.position());
        }
    }
}

fn say(line: &str) {
    // Nobody may be there to read it.
    let _ = writeln!(io::stderr(), "{line}");
}

/// A record as a line: time in UTC, level, module, message.
struct Line<'view>(&'view LogView);

impl fmt::Display for Line<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.0;
        write_time(formatter, view.unix_us)?;
        let level = ["?", "ERROR", "WARN", "INFO", "DEBUG", "TRACE"].get(usize::from(view.level)).unwrap_or(&"?");
        write!(formatter, " {level:5} {}: {}", view.target, view.message)?;
        if view.session != 0 { write!(formatter, " session={}", view.session) } else { Ok(()) }
    }
}

/// As RFC 3339 has it. The calendar repeats every 400 years of 146,097 days; counted from March a year ends with its leap day.
fn write_time(formatter: &mut fmt::Formatter<'_>, unix_us: u64) -> fmt::Result {
    let (seconds, us) = (unix_us / 1_000_000, unix_us % 1_000_000);
    let (day, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (day / 146_097, day % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day + 2) / 153;
    let (month, day) = ((from_march + 2) % 12 + 1, day - (153 * from_march + 2) / 5 + 1);
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    write!(formatter, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{us:06}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(unix_us: u64, session: u32) -> String {
        let (target, message) = ("transport::session".to_owned(), "it happened".to_owned());
        let (thread_name, position, level, is_cut, thread) = (String::new(), 0, 2, false, 1);
        Line(&LogView { position, unix_us, level, is_cut, session, thread, thread_name, target, message }).to_string()
    }

    #[test]
    fn a_line_tells_time_level_module_message_and_session() {
        assert_eq!(line(0, 0), "1970-01-01T00:00:00.000000Z WARN  transport::session: it happened");
        assert_eq!(
            line(1_709_251_199_000_001, 7),
            "2024-02-29T23:59:59.000001Z WARN  transport::session: it happened session=7"
        );
        for (second, day) in
            [(1_709_251_200, "2024-03-01T00"), (4_107_542_400, "2100-03-01T00"), (951_782_400, "2000-02-29T00")]
        {
            assert!(line(second * 1_000_000, 0).starts_with(day), "{day}");
        }
        assert!(line(u64::MAX, 0).contains("WARN"));
    }
}
