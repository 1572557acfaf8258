//! A text of bounded length that lives on the stack.

use std::fmt;

/// What stands at the end of a text that was cut.
const MARK: &str = "\u{2026}";

/// UTF-8 of at most `BYTES` bytes, a multiple of 8. What does not fit is cut, at a character, and `…` stands in its place.
/// Control characters become spaces: a record is one line wherever it is shown, whoever chose its words.
#[derive(Clone, Debug)]
pub struct LogText<const BYTES: usize> {
    bytes: [u8; BYTES],
    length: usize,
    cut: bool,
}

impl<const BYTES: usize> Default for LogText<BYTES> {
    fn default() -> LogText<BYTES> {
        const { assert!(BYTES.is_multiple_of(8) && BYTES > MARK.len() && BYTES < 1 << 16) }
        LogText { bytes: [0; BYTES], length: 0, cut: false }
    }
}

impl<const BYTES: usize> LogText<BYTES> {
    /// The text, cut where it is too long.
    pub fn of(text: &str) -> LogText<BYTES> {
        let mut all = LogText::default();
        all.push(text);
        all
    }

    /// Bytes in use.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether something did not fit.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Only whole characters are ever put in.
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }

    /// Adds a text.
    pub fn push(&mut self, text: &str) {
        for letter in text.chars() {
            if self.cut {
                return;
            }
            self.push_letter(if letter.is_control() { ' ' } else { letter });
        }
    }

    fn push_letter(&mut self, letter: char) {
        let bytes = letter.len_utf8();
        if self.length + bytes <= BYTES {
            letter.encode_utf8(&mut self.bytes[self.length..]);
            self.length += bytes;
            return;
        }
        self.cut = true;
        let kept = self.as_str().floor_char_boundary(BYTES - MARK.len());
        self.bytes[kept..].fill(0);
        self.bytes[kept..kept + MARK.len()].copy_from_slice(MARK.as_bytes());
        self.length = kept + MARK.len();
    }

    /// The words that the text takes in shared memory, the last one filled up with zeros.
    pub(crate) fn words(&self) -> impl Iterator<Item = u64> {
        self.bytes[..self.length.next_multiple_of(8)].chunks_exact(8).map(|eight| {
            let mut word = [0; 8];
            word.copy_from_slice(eight);
            u64::from_le_bytes(word)
        })
    }
}

impl<const BYTES: usize> fmt::Write for LogText<BYTES> {
    /// Never fails: what does not fit is cut.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text);
        Ok(())
    }
}
