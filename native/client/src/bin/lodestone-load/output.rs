//! Where the JSON lines go.

use std::io::{self, Write};

use crate::json::Object;

/// Standard output, one object per line, each line written at once.
#[derive(Debug)]
pub(crate) struct Output {
    stdout: io::Stdout,
}

impl Output {
    /// Standard output.
    pub(crate) fn new() -> Output {
        Output { stdout: io::stdout() }
    }

    /// Writes one line. Whoever closed the other end no longer wants the run.
    pub(crate) fn line(&mut self, object: &Object) -> Result<(), String> {
        let text = format!("{}\n", object.to_text());
        self.stdout
            .write_all(text.as_bytes())
            .and_then(|()| self.stdout.flush())
            .map_err(|error| format!("cannot write to standard output: {error}"))
    }
}
