//! YAML as a tree of nodes that know their line.
//!
//! The scalars have the types of YAML 1.2's JSON schema, which are those that Java's reader gives them: one file must not
//! mean two things.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

/// Most blocks and lists in each other; the keys that exist need five.
const DEPTH_MAX: usize = 32;

/// Most nodes of a file, those that aliases repeat included.
const NODES_MAX: usize = 100_000;

/// What is wrong with a file, and in which line; 0 when no line can be told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A node and the line it begins in, from 1.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar { text: String, kind: Kind },
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    Flag,
    Whole,
    Fraction,
    Text,
    /// A tag that means nothing here.
    Foreign,
}

impl Node {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Scalar { kind: Kind::Null, .. })
    }

    fn count(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 1,
            Value::Sequence(items) => 1 + items.iter().map(Node::count).sum::<usize>(),
            Value::Mapping(fields) => 1 + fields.iter().map(|(name, node)| name.count() + node.count()).sum::<usize>(),
        }
    }
}

/// Reads one document; `None` for an empty one.
///
/// # Errors
/// Broken YAML, a second document, more than 32 levels or 100,000 nodes.
pub(crate) fn read(text: &str) -> Result<Option<Node>, Broken> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| broken_at(&error))?;
        builder.take(event, span)?;
    }
    Ok(builder.root)
}

fn broken_at(error: &ScanError) -> Broken {
    Broken { line: error.marker().line(), text: format!("broken YAML ({})", error.info()) }
}

/// A list or mapping that has begun.
struct Open {
    line: usize,
    anchor: usize,
    mapping: bool,
    /// Items; of a mapping names and values by turns.
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    anchors: BTreeMap<usize, Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        let line = span.start.line();
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Broken { line, text: "a second document".to_owned() });
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = kind_of(&text, style, tag.as_deref());
                self.finish(Node { line, value: Value::Scalar { text: text.into_owned(), kind } }, anchor)?;
            }
            Event::SequenceStart(anchor, _) => self.begin(line, anchor, false)?,
            Event::MappingStart(anchor, _) => self.begin(line, anchor, true)?,
            Event::SequenceEnd | Event::MappingEnd => self.end()?,
            Event::Alias(anchor) => self.repeat(line, anchor)?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn begin(&mut self, line: usize, anchor: usize, mapping: bool) -> Result<(), Broken> {
        if self.open.len() == DEPTH_MAX {
            return Err(Broken { line, text: format!("blocks more than {DEPTH_MAX} deep in each other") });
        }
        self.open.push(Open { line, anchor, mapping, nodes: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), Broken> {
        let Some(Open { line, anchor, mapping, nodes }) = self.open.pop() else { return Ok(()) };
        let value = if mapping {
            let mut fields = Vec::with_capacity(nodes.len() / 2);
            let mut nodes = nodes.into_iter();
            while let (Some(name), Some(node)) = (nodes.next(), nodes.next()) {
                fields.push((name, node));
            }
            Value::Mapping(fields)
        } else {
            Value::Sequence(nodes)
        };
        self.finish(Node { line, value }, anchor)
    }

    /// Puts in once more what has an anchor. What is still open cannot be repeated inside itself.
    fn repeat(&mut self, line: usize, anchor: usize) -> Result<(), Broken> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(Broken { line, text: "an alias of something that is not complete".to_owned() });
        };
        if depth_of(node) + self.open.len() > DEPTH_MAX {
            return Err(Broken { line, text: format!("blocks more than {DEPTH_MAX} deep in each other") });
        }
        // Counted before it is copied: aliases of aliases double with every line.
        self.count(line, node.count().saturating_sub(1))?;
        let Some(node) = self.anchors.get(&anchor).cloned() else { return Ok(()) };
        self.finish(node, 0)
    }

    fn count(&mut self, line: usize, more: usize) -> Result<(), Broken> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODES_MAX {
            return Err(Broken { line, text: format!("more than {NODES_MAX} values") });
        }
        Ok(())
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), Broken> {
        self.count(node.line, 1)?;
        if anchor != 0 {
            self.count(node.line, node.count())?;
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.nodes.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

fn depth_of(node: &Node) -> usize {
    match &node.value {
        Value::Scalar { .. } => 0,
        Value::Sequence(items) => 1 + items.iter().map(depth_of).max().unwrap_or(0),
        Value::Mapping(fields) => {
            1 + fields.iter().map(|(name, node)| depth_of(name).max(depth_of(node))).max().unwrap_or(0)
        }
    }
}

fn kind_of(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Kind {
    match tag {
        Some(tag) if tag.is_yaml_core_schema() => match tag.suffix.as_str() {
            "null" => Kind::Null,
            "bool" => Kind::Flag,
            "int" => Kind::Whole,
            "float" => Kind::Fraction,
            "str" => Kind::Text,
            _ => Kind::Foreign,
        },
        // A lone exclamation mark makes text of anything.
        Some(tag) if format!("{}{}", tag.handle, tag.suffix) == "!" => Kind::Text,
        Some(_) => Kind::Foreign,
        None if style != ScalarStyle::Plain => Kind::Text,
        None => plain_kind(text),
    }
}

fn plain_kind(text: &str) -> Kind {
    match text {
        "" | "null" => Kind::Null,
        "true" | "false" => Kind::Flag,
        ".inf" | "-.inf" | ".nan" => Kind::Fraction,
        _ => number_kind(text.strip_prefix('-').unwrap_or(text)),
    }
}

/// Of a number without its sign: `(0|[1-9][0-9]*)`, then `(\.[0-9]*)?([eE][-+]?[0-9]+)?` for a fraction.
fn number_kind(text: &str) -> Kind {
    let whole = text.bytes().take_while(u8::is_ascii_digit).count();
    if whole == 0 || whole > 1 && text.starts_with('0') {
        return Kind::Text;
    }
    let rest = &text[whole..];
    if rest.is_empty() {
        return Kind::Whole;
    }
    let rest =
        rest.strip_prefix('.').map_or(rest, |digits| digits.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    let exponent = rest.strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['-', '+']).unwrap_or(rest));
    let good = match exponent {
        Some(digits) => !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => rest.is_empty(),
    };
    if good { Kind::Fraction } else { Kind::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_in(value: &str) -> Kind {
        let root = read(&format!("a: {value}\n")).unwrap().unwrap();
        let Value::Mapping(fields) = root.value else { panic!("no mapping") };
        let Value::Scalar { kind, .. } = fields[0].1.value else { panic!("no scalar in {value:?}") };
        kind
    }

    #[test]
    fn scalars_have_the_types_that_java_gives_them() {
        let text = [
            "True", "TRUE", "~", "Null", "0o17", "0x1F", "+5", "05", "1_000", ".5", "+.inf", "''", "! 5", "1e",
            "1.2.3", "-",
        ];
        for value in text {
            if value != "-" {
                assert_eq!(kind_in(value), Kind::Text, "{value}");
            }
        }
        for (value, kind) in [
            ("", Kind::Null),
            ("null", Kind::Null),
            ("true", Kind::Flag),
            ("-5", Kind::Whole),
            ("-0", Kind::Whole),
            ("99999999999999999999", Kind::Whole),
            ("1.5", Kind::Fraction),
            ("1e3", Kind::Fraction),
            ("5.", Kind::Fraction),
            ("-2.5E-7", Kind::Fraction),
            (".inf", Kind::Fraction),
            ("-.inf", Kind::Fraction),
            (".nan", Kind::Fraction),
            ("!!int '5'", Kind::Whole),
            ("!!float 5", Kind::Fraction),
            ("!!str 5", Kind::Text),
            ("!mine 5", Kind::Foreign),
            ("\"5\"", Kind::Text),
            ("|\n  5", Kind::Text),
        ] {
            assert_eq!(kind_in(value), kind, "{value}");
        }
    }

    #[test]
    fn nothing_is_read_without_bounds() {
        for one in ["[", "{a: ", "- ", "? "] {
            let error = read(&format!("a:\n  {}", one.repeat(100_000))).unwrap_err();
            assert!(error.text.contains("deep") || error.text.contains("broken"), "{error:?}");
        }
        assert!(
            read(&format!("a: {}{}", "[".repeat(33), "]".repeat(33))).unwrap_err().text.contains("more than 32 deep")
        );
        assert!(read(&format!("a: {}{}", "[".repeat(31), "]".repeat(31))).is_ok());
        let mut doubling = "a0: &a0 [x, x]\n".to_owned();
        for level in 1..30 {
            doubling += &format!("a{level}: &a{level} [*a{}, *a{}]\n", level - 1, level - 1);
        }
        assert!(read(&doubling).unwrap_err().text.contains("more than 100000 values"));
        assert!(read("a: &a [*a]\n").is_err());
        assert!(read("a: &a {b: 1}\nc: *a\n").is_ok());
        assert!(read("a: *b\n").is_err());
    }

    #[test]
    fn one_document_is_read_and_no_more() {
        assert!(read("").unwrap().is_none());
        assert!(read("# nothing\n").unwrap().is_none());
        assert_eq!(read("a: 1\n---\nb: 2\n").unwrap_err().text, "a second document");
        assert!(read("arena: [1,\n").unwrap_err().line > 0);
        assert!(read("arena: @\n").unwrap_err().text.starts_with("broken YAML ("));
    }
}
