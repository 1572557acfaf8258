//! Just enough JSON to write flat reports.

use std::fmt::Write as _;

/// One JSON object under construction; keys keep the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Object {
    members: String,
}

impl Object {
    /// An object without members.
    pub fn new() -> Object {
        Object::default()
    }

    /// Adds a number.
    pub fn number(mut self, key: &str, value: u64) -> Object {
        self.key(key);
        // Writing to a String cannot fail.
        let _ = write!(self.members, "{value}");
        self
    }

    /// Adds a text.
    pub fn text(mut self, key: &str, value: &str) -> Object {
        self.key(key);
        push_quoted(&mut self.members, value);
        self
    }

    /// Adds true or false.
    pub fn flag(mut self, key: &str, value: bool) -> Object {
        self.key(key);
        self.members.push_str(if value { "true" } else { "false" });
        self
    }

    /// Adds a list of numbers.
    pub fn numbers(mut self, key: &str, values: impl IntoIterator<Item = u64>) -> Object {
        self.key(key);
        self.members.push('[');
        for (index, value) in values.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(self.members, "{comma}{value}");
        }
        self.members.push(']');
        self
    }

    /// Adds bytes, as text of two hexadecimal digits each.
    pub fn hex(mut self, key: &str, bytes: &[u8]) -> Object {
        self.key(key);
        self.members.push('"');
        for byte in bytes {
            let _ = write!(self.members, "{byte:02x}");
        }
        self.members.push('"');
        self
    }

    /// Adds an object.
    pub fn object(mut self, key: &str, value: &Object) -> Object {
        self.key(key);
        self.members.push_str(&value.to_text());
        self
    }

    /// The object on one line, without a line break.
    pub fn to_text(&self) -> String {
        format!("{{{}}}", self.members)
    }

    fn key(&mut self, key: &str) {
        if !self.members.is_empty() {
            self.members.push(',');
        }
        push_quoted(&mut self.members, key);
        self.members.push(':');
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_parser_reads() {
        let object = Object::new()
            .text("a\"b", "line\nbreak \\ \u{1} é")
            .number("n", u64::MAX)
            .flag("yes", true)
            .numbers("none", [])
            .numbers("some", [1, 2])
            .hex("bytes", &[0, 0xab])
            .object("empty", &Object::new())
            .object("inner", &Object::new().number("x", 0));
        let expected = "{\"a\\\"b\":\"line\\u000abreak \\\\ \\u0001 é\",\"n\":18446744073709551615,\"yes\":true,\
                        \"none\":[],\"some\":[1,2],\"bytes\":\"00ab\",\"empty\":{},\"inner\":{\"x\":0}}";
        assert_eq!(object.to_text(), expected);
    }
}
