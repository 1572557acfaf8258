//! Where the JSON lines go.

use std::io::{self, Write};

use super::json::Object;

/// Standard output, one object per line, each line written at once: several of these may write at the same time.
#[derive(Debug)]
pub struct Output {
    stdout: io::Stdout,
}

impl Default for Output {
    fn default() -> Output {
        Output::new()
    }
}

impl Output {
    /// Standard output.
    pub fn new() -> Output {
        Output { stdout: io::stdout() }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// In words, when nobody reads it any more: whoever closed the other end no longer wants the run.
    pub fn line(&mut self, object: &Object) -> Result<(), String> {
        let text = format!("{}\n", object.to_text());
        self.stdout
            .write_all(text.as_bytes())
            .and_then(|()| self.stdout.flush())
            .map_err(|error| format!("cannot write to standard output: {error}"))
    }
}
