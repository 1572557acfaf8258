//! What keys there are and what their values look like: as the shipped file of the defaults says, which lists them all.
//!
//! The file is the one in Java's jar, so that a key is written down once and the two readers cannot part. Ranges are none
//! of this module's business: `lodestone_runtime` checks them.

use std::collections::BTreeMap;

use crate::yaml::{self, Kind, Node, Value};

const DEFAULTS: &str = include_str!("../../../java-api/src/main/resources/dev/lodestone/arena-runtime-config.yaml");

/// What a key holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Other keys.
    Section,
    /// One value of this type.
    Scalar(Kind),
    /// A list of whole numbers, or of blocks of them.
    Numbers,
    /// A folder, relative to the file.
    Folder,
    /// The path of a file, relative to the file, or nothing.
    File,
    /// The path of a file that is made, relative to the file, or nothing.
    Record,
    /// `self_signed`, or a block with the names of two files.
    Certificate,
    /// `none`, or a block with a list of keys.
    Auth,
}

/// The keys by their dotted path.
pub(crate) struct Schema(BTreeMap<String, Shape>);

impl Schema {
    /// The keys of this version.
    ///
    /// # Panics
    /// When the file built into this program is broken, which its test rules out.
    pub(crate) fn shipped() -> Schema {
        let root = yaml::read(DEFAULTS).ok().flatten().expect("the shipped configuration is YAML");
        let mut shapes = BTreeMap::new();
        add(&mut shapes, "", &root);
        Schema(shapes)
    }

    pub(crate) fn shape(&self, path: &str) -> Option<Shape> {
        self.0.get(path).copied()
    }

    /// The names right below `prefix`, which is empty or ends in a dot.
    pub(crate) fn names(&self, prefix: &str) -> Vec<&str> {
        let below = self.0.keys().filter_map(|path| path.strip_prefix(prefix));
        below.filter(|name| !name.is_empty() && !name.contains('.')).collect()
    }
}

fn add(shapes: &mut BTreeMap<String, Shape>, prefix: &str, node: &Node) {
    let Value::Mapping(fields) = &node.value else { return };
    for (name, value) in fields {
        let Value::Scalar { text, .. } = &name.value else { continue };
        let path = format!("{prefix}{text}");
        let shape = shape_of(&path, value);
        if shape == Shape::Section {
            add(shapes, &format!("{path}."), value);
        }
        shapes.insert(path, shape);
    }
}

fn shape_of(path: &str, value: &Node) -> Shape {
    match (path, &value.value) {
        ("transport.certificate", _) => Shape::Certificate,
        ("transport.client_ca_file", _) => Shape::File,
        ("transport.auth", _) => Shape::Auth,
        ("transport.revocations_file", _) => Shape::Record,
        ("runtime.shared_region_directory", _) => Shape::Folder,
        (_, Value::Scalar { kind, .. }) => Shape::Scalar(*kind),
        (_, Value::Sequence(_)) => Shape::Numbers,
        (_, Value::Mapping(_)) => Shape::Section,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_says_what_keys_there_are() {
        let schema = Schema::shipped();
        for (path, shape) in [
            ("arena", Shape::Section),
            ("arena.capacity", Shape::Scalar(Kind::Whole)),
            ("arena.preallocate", Shape::Scalar(Kind::Flag)),
            ("arena.fragmentation_threshold", Shape::Scalar(Kind::Fraction)),
            ("arena.tenants", Shape::Numbers),
            ("runtime.thread_name", Shape::Scalar(Kind::Text)),
            ("runtime.pin_cores", Shape::Numbers),
            ("runtime.shared_region_directory", Shape::Folder),
            ("transport.certificate", Shape::Certificate),
            ("transport.client_certificates", Shape::Scalar(Kind::Text)),
            ("transport.client_ca_file", Shape::File),
            ("transport.auth", Shape::Auth),
            ("transport.revocations_file", Shape::Record),
            ("ci_native_integration", Shape::Scalar(Kind::Flag)),
        ] {
            assert_eq!(schema.shape(path), Some(shape), "{path}");
        }
        assert_eq!(schema.names("rollback."), ["sla_ms", "verify", "window_mib"]);
        assert!(schema.names("").contains(&"monitoring"));
        assert!(schema.0.values().all(|shape| !matches!(shape, Shape::Scalar(Kind::Null | Kind::Foreign))));
    }
}
