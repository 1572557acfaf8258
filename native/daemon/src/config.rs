//! The configuration file, turned into the flat lines that `lodestone_runtime` takes.
//!
//! Here is decided what a file means: which keys there are, of which type, in which line. What numbers and words are
//! allowed is decided where they are used, in the runtime, and its refusals get file and line here.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use lodestone_runtime::{Config, EngineError};

use crate::schema::{Schema, Shape};
use crate::yaml::{self, Kind, Node, Value};

/// Largest file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Below this key values may be secrets, misplaced ones too: they stay out of messages, which end in logs.
const SECRETS: &str = "transport.auth";

/// Longest name below [`SECRETS`] that is shown; what is longer may be a secret.
const NAME_SHOWN_MAX: usize = 20;

/// Why a file is refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) file: PathBuf,
    /// From 1; 0 where none can be told.
    pub(crate) line: usize,
    /// Dotted; empty where it is the whole file.
    pub(crate) key: String,
    pub(crate) text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.file.display())?;
        if self.line > 0 {
            write!(formatter, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(formatter, ": {}", self.key)?;
        }
        write!(formatter, ": {}", self.text)
    }
}

/// What is wrong with a value or a name.
struct Problem {
    key: String,
    text: String,
}

fn problem<T>(key: &str, text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem { key: key.to_owned(), text: text.into() })
}

/// A configuration that the runtime accepts.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What `lodestone_runtime::Engine::open` takes.
    pub(crate) flat: String,
    /// The certificate that the file names; none: the engine makes one.
    pub(crate) certificate: Option<PathBuf>,
    file: PathBuf,
    lines: BTreeMap<String, usize>,
}

impl Loaded {
    /// What the runtime says, with the place in the file when it is about a key.
    pub(crate) fn explain(&self, error: &EngineError) -> String {
        match error {
            EngineError::Config { key, text } => {
                let line = line_of(&self.lines, key);
                Refusal { file: self.file.clone(), line, key: key.clone(), text: text.clone() }.to_string()
            }
            other => other.to_string(),
        }
    }
}

/// Reads a file; `port` goes before the one in it.
///
/// # Errors
/// Whatever is wrong with the file, with its place.
pub(crate) fn load(file: &Path, port: Option<u16>) -> Result<Loaded, Refusal> {
    let refuse = |text: String| Refusal { file: file.to_owned(), line: 0, key: String::new(), text };
    let text = text_of(file).map_err(refuse)?;
    translate(&text, file, port)
}

fn text_of(file: &Path) -> Result<String, String> {
    let allowed = format!("a readable UTF-8 file of at most {FILE_BYTES_MAX} bytes is needed");
    // Devices and pipes may never end, or never begin.
    let about = std::fs::metadata(file).map_err(|error| format!("{error}; {allowed}"))?;
    if !about.is_file() {
        let found = if about.is_dir() { "a folder" } else { "a device, a pipe or a socket" };
        return Err(format!("found {found}; {allowed}"));
    }
    let opened = File::open(file).map_err(|error| format!("{error}; {allowed}"))?;
    let mut bytes = Vec::new();
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| format!("{error}; {allowed}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("found more bytes; {allowed}"));
    }
    String::from_utf8(bytes).map_err(|_| format!("found bytes that are not UTF-8; {allowed}"))
}

pub(crate) fn translate(text: &str, file: &Path, port: Option<u16>) -> Result<Loaded, Refusal> {
    let refuse = |line, key: String, text| Refusal { file: file.to_owned(), line, key, text };
    let root = yaml::read(text).map_err(|broken| refuse(broken.line, String::new(), broken.text))?;
    let mut reader = Reader::new(file);
    let read = root.filter(|root| !root.is_null()).map_or(Ok(()), |root| reader.section("", &root));
    if let Err(Problem { key, text }) = read.and_then(|()| reader.stand_alone(port)) {
        return Err(refuse(line_of(&reader.lines, &key), key, text));
    }
    let certificate = reader.values.get("transport.certificate.certificate_file").map(PathBuf::from);
    let flat = reader.values.iter().map(|(key, value)| format!("{key}={value}\n")).collect::<String>();
    if let Err(EngineError::Config { key, text }) = Config::parse(&flat) {
        return Err(refuse(line_of(&reader.lines, &key), key, text));
    }
    Ok(Loaded { flat, certificate, file: file.to_owned(), lines: reader.lines })
}

/// The line of a key, or of the nearest block around it that has one.
fn line_of(lines: &BTreeMap<String, usize>, key: &str) -> usize {
    let mut place = key;
    loop {
        if let Some(line) = lines.get(place) {
            return *line;
        }
        match place.rfind('.') {
            Some(dot) => place = &place[..dot],
            None => return lines.get("").copied().unwrap_or(0),
        }
    }
}

/// Collects the values of a file, and the line of each.
struct Reader {
    schema: Schema,
    /// Where relative paths begin.
    folder: PathBuf,
    values: BTreeMap<String, String>,
    lines: BTreeMap<String, usize>,
}

impl Reader {
    fn new(file: &Path) -> Reader {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = absolute.parent().map(Path::to_owned).unwrap_or_default();
        Reader { schema: Schema::shipped(), folder, values: BTreeMap::new(), lines: BTreeMap::new() }
    }

    /// Reads the keys below `prefix`, which is empty or ends in a dot.
    fn section(&mut self, prefix: &str, node: &Node) -> Result<(), Problem> {
        for (name, value) in self.fields(prefix, node, "keys such as arena: and transport:")? {
            let path = format!("{prefix}{name}");
            match self.schema.shape(&path) {
                Some(Shape::Section) if value.is_null() => {}
                Some(Shape::Section) => self.section(&format!("{path}."), value)?,
                Some(shape) => self.value(&path, shape, value)?,
                None => {
                    let known = self.schema.names(prefix).join(", ");
                    return problem(&path, format!("unknown key; here is known: {known}"));
                }
            }
        }
        Ok(())
    }

    /// The fields of a block; a name that is no text, has a dot or stands twice is refused.
    fn fields<'n>(&mut self, prefix: &str, node: &'n Node, allowed: &str) -> Result<Vec<(&'n str, &'n Node)>, Problem> {
        let place = prefix.strip_suffix('.').unwrap_or(prefix);
        self.lines.entry(place.to_owned()).or_insert(node.line);
        let Value::Mapping(fields) = &node.value else { return wrong(place, node, allowed) };
        let mut known: Vec<(&str, &Node)> = Vec::new();
        for (name, value) in fields {
            let Value::Scalar { text, .. } = &name.value else {
                return problem(place, format!("found a key that is no text; allowed: {allowed}"));
            };
            if place.starts_with(SECRETS) && text.len() > NAME_SHOWN_MAX {
                return problem(
                    place,
                    format!("unknown key of {} characters; allowed: {allowed}", text.chars().count()),
                );
            }
            let path = format!("{prefix}{text}");
            self.lines.insert(path.clone(), name.line);
            if text.contains('.') {
                return problem(&path, "unknown key: a name with a dot; keys go one below the other");
            }
            if known.iter().any(|(other, _)| other == text) {
                return problem(&path, "stands twice");
            }
            known.push((text, value));
        }
        Ok(known)
    }

    fn value(&mut self, path: &str, shape: Shape, node: &Node) -> Result<(), Problem> {
        self.lines.entry(path.to_owned()).or_insert(node.line);
        match shape {
            Shape::Section => self.section(&format!("{path}."), node),
            Shape::Scalar(kind) => self.scalar(path, kind, node),
            Shape::Numbers => self.numbers(path, node),
            Shape::Folder => {
                self.path(path, node, "a folder that exists")?;
                let folder = self.values.get(path).map(PathBuf::from).unwrap_or_default();
                if folder.is_dir() {
                    Ok(())
                } else {
                    problem(path, format!("found {}; allowed is a folder that exists", folder.display()))
                }
            }
            Shape::File | Shape::Record if matches!(&node.value, Value::Scalar { text, .. } if text.is_empty()) => {
                self.put(path, "")
            }
            Shape::File => self.file(path, node),
            Shape::Record => self.record(path, node),
            Shape::Certificate => self.certificate(path, node),
            Shape::Auth => self.auth(path, node),
        }
    }

    fn scalar(&mut self, path: &str, wanted: Kind, node: &Node) -> Result<(), Problem> {
        match &node.value {
            Value::Scalar { text, kind } if *kind == wanted || wanted == Kind::Fraction && *kind == Kind::Whole => {
                self.put(path, text)
            }
            _ => wrong(path, node, described(wanted)),
        }
    }

    /// A value without the characters that end a line of the flat text.
    fn put(&mut self, path: &str, text: &str) -> Result<(), Problem> {
        if text.chars().any(char::is_control) {
            return problem(path, "found control characters; none are allowed");
        }
        self.values.insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    fn numbers(&mut self, path: &str, node: &Node) -> Result<(), Problem> {
        let Value::Sequence(items) = &node.value else { return wrong(path, node, "a list") };
        for (index, item) in items.iter().enumerate() {
            let place = format!("{path}.{index}");
            self.lines.entry(place.clone()).or_insert(item.line);
            if let Value::Mapping(_) = item.value {
                let prefix = format!("{place}.");
                for (name, number) in self.fields(&prefix, item, "a block of whole numbers")? {
                    self.scalar(&format!("{prefix}{name}"), Kind::Whole, number)?;
                }
            } else {
                self.scalar(&place, Kind::Whole, item)?;
            }
        }
        Ok(())
    }

    fn path(&mut self, path: &str, node: &Node, allowed: &str) -> Result<(), Problem> {
        match &node.value {
            Value::Scalar { text, kind: Kind::Text } if !text.trim().is_empty() => {
                let text = plain(&self.folder.join(text));
                self.put(path, &text)
            }
            _ => wrong(path, node, allowed),
        }
    }

    /// The word that stands for the default, or else the fields that have to be there, all of them.
    fn word_or_fields<'n>(
        &mut self,
        path: &str,
        node: &'n Node,
        word: &str,
        names: &[&str],
        allowed: &str,
    ) -> Result<Option<Vec<&'n Node>>, Problem> {
        if matches!(&node.value, Value::Scalar { text, .. } if text == word) {
            self.put(path, word)?;
            return Ok(None);
        }
        let fields = self.fields(&format!("{path}."), node, allowed)?;
        if let Some((name, _)) = fields.iter().find(|(name, _)| !names.contains(name)) {
            return problem(&format!("{path}.{name}"), format!("unknown key; here is known: {}", names.join(", ")));
        }
        let mut values = Vec::new();
        for name in names {
            match fields.iter().find(|(found, _)| found == name) {
                Some((_, value)) => values.push(*value),
                None => return problem(&format!("{path}.{name}"), format!("is missing; allowed: {allowed}")),
            }
        }
        Ok(Some(values))
    }

    fn certificate(&mut self, path: &str, node: &Node) -> Result<(), Problem> {
        let names = ["certificate_file", "key_file"];
        let allowed = "self_signed, or {certificate_file: PEM, key_file: PEM}";
        let Some(files) = self.word_or_fields(path, node, "self_signed", &names, allowed)? else { return Ok(()) };
        for (name, file) in names.iter().zip(files) {
            let place = format!("{path}.{name}");
            self.file(&place, file)?;
        }
        Ok(())
    }

    fn file(&mut self, path: &str, node: &Node) -> Result<(), Problem> {
        self.path(path, node, "the path of a PEM file")?;
        if !self.values.get(path).is_some_and(|file| Path::new(file).is_file()) {
            return problem(path, "allowed is a file that exists and can be read");
        }
        Ok(())
    }

    fn record(&mut self, path: &str, node: &Node) -> Result<(), Problem> {
        let allowed = "a file in a folder that exists, or \"\" for none";
        self.path(path, node, allowed)?;
        let file = self.values.get(path).map(PathBuf::from).unwrap_or_default();
        if file.parent().is_some_and(Path::is_dir) && !file.is_dir() {
            return Ok(());
        }
        problem(path, format!("found {}; allowed is {allowed}", file.display()))
    }

    fn auth(&mut self, path: &str, node: &Node) -> Result<(), Problem> {
        let allowed = "none, or {keys: [{id: number, secret_hex: digits}, ...]}";
        let Some(fields) = self.word_or_fields(path, node, "none", &["keys"], allowed)? else { return Ok(()) };
        let list = format!("{path}.keys");
        let [keys] = fields.as_slice() else { return wrong(&list, node, allowed) };
        let Value::Sequence(items) = &keys.value else { return wrong(&list, keys, allowed) };
        if items.is_empty() {
            // The flat text has no empty lists: one would mean that nobody needs a token.
            return problem(&list, format!("found an empty list; allowed: {allowed}"));
        }
        for (index, item) in items.iter().enumerate() {
            let place = format!("{list}.{index}");
            let names = ["id", "secret_hex"];
            let Some(key) = self.word_or_fields(&place, item, "", &names, allowed)? else {
                return wrong(&place, item, allowed);
            };
            let [id, secret] = key.as_slice() else { return wrong(&place, item, allowed) };
            self.scalar(&format!("{place}.id"), Kind::Whole, id)?;
            match &secret.value {
                // Digits alone may look like a number.
                Value::Scalar { text, .. } => self.put(&format!("{place}.secret_hex"), text)?,
                _ => return wrong(&format!("{place}.secret_hex"), secret, "pairs of hexadecimal digits, in quotes"),
            }
        }
        Ok(())
    }

    /// What holds for an engine in a process of its own.
    fn stand_alone(&mut self, port: Option<u16>) -> Result<(), Problem> {
        if self.values.get("runtime.shared_region").is_some_and(|place| place == "anonymous") {
            let text =
                "found anonymous; a stand-alone engine is reached through its file: set file, or leave the key out";
            return problem("runtime.shared_region", text);
        }
        if let Some(port) = port {
            let listen = self.values.get("transport.listen").map_or("127.0.0.1:0", String::as_str);
            let host = listen.rsplit_once(':').map_or(listen, |(host, _)| host);
            let address = format!("{host}:{port}");
            self.values.insert("transport.listen".to_owned(), address);
        }
        Ok(())
    }
}

/// The path without `.` and `..`, as text. (A link before a `..` is not followed, as in Java's reader.)
fn plain(path: &Path) -> String {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain.to_string_lossy().into_owned()
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::Flag => "true or false",
        Kind::Whole => "a whole number",
        Kind::Fraction => "a number",
        Kind::Text | Kind::Null | Kind::Foreign => "text (quote it to make it text)",
    }
}

fn wrong<T>(path: &str, node: &Node, allowed: &str) -> Result<T, Problem> {
    let found = match &node.value {
        Value::Mapping(_) => "a block of keys".to_owned(),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Scalar { kind: Kind::Null, .. } => "nothing".to_owned(),
        Value::Scalar { text, .. } if path.starts_with(SECRETS) => {
            format!("a value of {} characters, not shown because it may be a secret", text.chars().count())
        }
        Value::Scalar { text, .. } => format!("{text:?}"),
    };
    problem(path, format!("found {found}; allowed: {allowed}"))
}
