//! The commands of standard input.

use lodestone_client::command_line::bytes_of_hex;
use lodestone_client::wire::{PAYLOAD_BYTES_MAX, SUBSCRIBE_NODES_MAX};

/// One line's wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Sends a frame on the current stream.
    Frame(Frame),
    /// Sends a frame as a datagram; never a ROUTE.
    Datagram(Frame),
    /// The counter of the next datagram.
    DatagramCounter(u64),
    /// Goes over to another stream.
    Stream(u32),
    /// Keeps frames until [`Command::Go`].
    Hold,
    /// Sends what was kept.
    Go,
    /// Ends the current stream.
    Finish,
    /// Ends the session, with these words.
    Close(String),
}

/// What a frame shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// MOVE.
    Move { source: u32, target: u32, edge_mask: u32, version: u64, payload: Vec<u8>, ack_each: bool },
    /// RELEASE.
    Release { node: u32, ack_each: bool },
    /// READ.
    Read { node: u32 },
    /// ROUTE.
    Route { source: u32, target: u32 },
    /// SUBSCRIBE.
    Subscribe { nodes: Vec<u32> },
    /// SUBSCRIBE_LATEST, or SUBSCRIBE where the server does not know it.
    SubscribeLatest { nodes: Vec<u32> },
    /// UNSUBSCRIBE.
    Unsubscribe { nodes: Vec<u32> },
}

impl Frame {
    /// The command that asks for it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Frame::Move { .. } => "move",
            Frame::Release { .. } => "release",
            Frame::Read { .. } => "read",
            Frame::Route { .. } => "route",
            Frame::Subscribe { .. } => "subscribe",
            Frame::SubscribeLatest { .. } => "subscribe-latest",
            Frame::Unsubscribe { .. } => "unsubscribe",
        }
    }

    /// Whether an answer comes even when the frame was a datagram.
    pub(crate) fn is_answered_as_datagram(&self) -> bool {
        match self {
            Frame::Move { ack_each, .. } | Frame::Release { ack_each, .. } => *ack_each,
            _ => true,
        }
    }
}

/// The command of a line; `None` for a line without one. The error says what is wrong with it.
pub(crate) fn parse(line: &str) -> Result<Option<Command>, String> {
    let mut words = Words(line.split_whitespace());
    let Some(name) = words.0.next().filter(|name| !name.starts_with('#')) else { return Ok(None) };
    let command = match name {
        "stream" => Command::Stream(words.number("stream")?),
        "datagram" => words.datagram()?,
        "hold" => Command::Hold,
        "go" => Command::Go,
        "finish" => Command::Finish,
        "close" => {
            let text = line.trim_start().strip_prefix("close").unwrap_or_default().trim().to_owned();
            return Ok(Some(Command::Close(text)));
        }
        name => Command::Frame(words.frame(name)?.ok_or_else(|| {
            format!(
                "{name:?} is no command; known are move, release, read, route, subscribe, subscribe-latest, unsubscribe, stream, datagram, hold, go, finish, close"
            )
        })?),
    };
    words.end().map(|()| Some(command))
}

/// The words of a line that are not yet understood.
struct Words<'a>(std::str::SplitWhitespace<'a>);

impl Words<'_> {
    fn datagram(&mut self) -> Result<Command, String> {
        match self.0.next().unwrap_or_default() {
            "counter" => Ok(Command::DatagramCounter(self.number("counter")?)),
            name => match self.frame(name)? {
                Some(frame @ (Frame::Move { .. } | Frame::Release { .. } | Frame::Read { .. })) => {
                    Ok(Command::Datagram(frame))
                }
                _ => Err("a datagram is a move, a release or a read, or 'datagram counter N'".into()),
            },
        }
    }

    /// The frame of this name; `None` when there is none.
    fn frame(&mut self, name: &str) -> Result<Option<Frame>, String> {
        Ok(Some(match name {
            "move" => self.step()?,
            "release" => {
                let node = self.number("the node")?;
                Frame::Release { node, ack_each: self.each()? }
            }
            "read" => Frame::Read { node: self.number("the node")? },
            "route" => Frame::Route { source: self.number("the source")?, target: self.number("the target")? },
            "subscribe" => Frame::Subscribe { nodes: self.nodes(1)? },
            "subscribe-latest" => Frame::SubscribeLatest { nodes: self.nodes(1)? },
            "unsubscribe" => Frame::Unsubscribe { nodes: self.nodes(0)? },
            _ => return Ok(None),
        }))
    }

    /// All words that are left.
    fn nodes(&mut self, least: usize) -> Result<Vec<u32>, String> {
        let mut nodes = Vec::new();
        while nodes.len() < least || self.0.clone().next().is_some() {
            nodes.push(self.number("a node")?);
        }
        let count = nodes.len();
        if count <= SUBSCRIBE_NODES_MAX {
            Ok(nodes)
        } else {
            Err(format!("{count} nodes, at most {SUBSCRIBE_NODES_MAX} fit"))
        }
    }

    fn step(&mut self) -> Result<Frame, String> {
        let (source, target) = (self.number("the source")?, self.number("the target")?);
        let edge_mask = self.number("the mask")?;
        let (mut version, mut payload, mut ack_each) = (0, Vec::new(), false);
        while let Some(word) = self.0.next() {
            match word {
                "version" => version = self.number("version")?,
                "payload" => payload = self.payload()?,
                "each" => ack_each = true,
                other => return Err(unexpected(other)),
            }
        }
        Ok(Frame::Move { source, target, edge_mask, version, payload, ack_each })
    }

    fn payload(&mut self) -> Result<Vec<u8>, String> {
        let digits = self.0.next().ok_or("payload: the hexadecimal digits are missing")?;
        let bytes = bytes_of_hex(digits).ok_or_else(|| format!("payload: {digits:?} is not hexadecimal"))?;
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(format!("payload: {} bytes, at most {PAYLOAD_BYTES_MAX} fit", bytes.len()));
        }
        Ok(bytes)
    }

    fn each(&mut self) -> Result<bool, String> {
        match self.0.next() {
            None => Ok(false),
            Some("each") => Ok(true),
            Some(other) => Err(unexpected(other)),
        }
    }

    fn number<N: TryFrom<u64>>(&mut self, what: &str) -> Result<N, String> {
        let word = self.0.next().ok_or_else(|| format!("{what} is missing"))?;
        let number = match word.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => word.parse(),
        };
        let fitting = number.ok().and_then(|number| N::try_from(number).ok());
        fitting.ok_or_else(|| format!("{what}: {word:?} is not a number of {} bits", 8 * size_of::<N>()))
    }

    fn end(&mut self) -> Result<(), String> {
        self.0.next().map_or(Ok(()), |word| Err(unexpected(word)))
    }
}

fn unexpected(word: &str) -> String {
    format!("{word:?} is not expected here")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(source: u32, target: u32, edge_mask: u32) -> Frame {
        Frame::Move { source, target, edge_mask, version: 0, payload: Vec::new(), ack_each: false }
    }

    #[test]
    fn every_command_is_understood() {
        let full = Frame::Move {
            source: 1,
            target: 4_294_967_295,
            edge_mask: 0x1_002a,
            version: u64::MAX,
            payload: vec![0, 0xfe],
            ack_each: true,
        };
        let cases = [
            ("move 1 2 3", Command::Frame(step(1, 2, 3))),
            ("  move 0x1 0xffffffff 0x1002a each payload 00Fe version 18446744073709551615", Command::Frame(full)),
            ("release 7", Command::Frame(Frame::Release { node: 7, ack_each: false })),
            ("release 7 each", Command::Frame(Frame::Release { node: 7, ack_each: true })),
            ("read 9", Command::Frame(Frame::Read { node: 9 })),
            ("route 9 10", Command::Frame(Frame::Route { source: 9, target: 10 })),
            ("subscribe 1 0x2", Command::Frame(Frame::Subscribe { nodes: vec![1, 2] })),
            ("subscribe-latest 3", Command::Frame(Frame::SubscribeLatest { nodes: vec![3] })),
            ("unsubscribe", Command::Frame(Frame::Unsubscribe { nodes: vec![] })),
            ("unsubscribe 5", Command::Frame(Frame::Unsubscribe { nodes: vec![5] })),
            ("stream 3", Command::Stream(3)),
            ("datagram move 1 2 3", Command::Datagram(step(1, 2, 3))),
            ("datagram read 1", Command::Datagram(Frame::Read { node: 1 })),
            ("datagram counter 99", Command::DatagramCounter(99)),
            ("hold", Command::Hold),
            ("go", Command::Go),
            ("finish", Command::Finish),
            ("close", Command::Close(String::new())),
            ("close  good  night ", Command::Close("good  night".into())),
        ];
        for (line, expected) in cases {
            assert_eq!(parse(line), Ok(Some(expected)), "{line}");
        }
        for nothing in ["", "   ", "# move 1 2 3", "#"] {
            assert_eq!(parse(nothing), Ok(None), "{nothing:?}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            ("jump 1", "\"jump\" is no command"),
            ("move 1 2", "the mask is missing"),
            ("move 1 two 3", "the target: \"two\" is not a number of 32 bits"),
            ("move 4294967296 1 1", "the source: \"4294967296\" is not a number of 32 bits"),
            ("move 1 2 -3", "the mask: \"-3\""),
            ("move 1 2 3 payload", "digits are missing"),
            ("move 1 2 3 payload 0", "\"0\" is not hexadecimal"),
            ("move 1 2 3 payload é0", "is not hexadecimal"),
            ("move 1 2 3 version 18446744073709551616", "is not a number of 64 bits"),
            ("move 1 2 3 now", "\"now\" is not expected here"),
            ("release 1 every", "\"every\" is not expected here"),
            ("read", "the node is missing"),
            ("route 1", "the target is missing"),
            ("go on", "\"on\" is not expected here"),
            ("subscribe", "a node is missing"),
            ("subscribe 1 x", "a node: \"x\""),
            ("datagram subscribe 1", "a datagram is a move"),
            ("datagram", "a datagram is a move"),
            ("datagram route 1 2", "a datagram is a move"),
            ("datagram close", "a datagram is a move"),
        ];
        for (line, expected) in cases {
            let error = parse(line).unwrap_err();
            assert!(error.contains(expected), "{line:?}: {error}");
        }
        let long = format!("move 1 2 3 payload {}", "00".repeat(PAYLOAD_BYTES_MAX + 1));
        assert_eq!(parse(&long).unwrap_err(), "payload: 233 bytes, at most 232 fit");
        assert!(parse(&long[..long.len() - 2]).is_ok());
    }
}
