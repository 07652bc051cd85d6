//! Tables of fields, and records written by them.

use super::value::{Shown, Value};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// What a table is about.
pub trait Records: 'static {
    /// One of them.
    type Row<'a>;
    /// All fields.
    const FIELDS: &'static [Field<Self>];
    /// Whether there is always one, which then stands for the list of them.
    const SINGLE: bool = false;
}

/// A field.
pub struct Field<K: Records + ?Sized> {
    /// Where it stands: names with slashes between them.
    pub path: &'static str,
    /// Its value.
    pub value: for<'r, 'a> fn(&'r K::Row<'a>) -> Value<'r>,
}

/// The fields as they stand in each other. What has a part stands where the first of its parts does.
pub(super) struct Tree<K: Records + ?Sized>(Vec<Node<K>>);

enum Node<K: Records + ?Sized> {
    Leaf(&'static str, &'static Field<K>),
    Branch(&'static str, Tree<K>),
}

impl<K: Records + ?Sized> Tree<K> {
    /// That of a table.
    pub fn new() -> Self {
        let mut tree = Self(Vec::new());
        K::FIELDS.iter().for_each(|field| tree.add(field.path, field));
        tree
    }

    fn add(&mut self, path: &'static str, field: &'static Field<K>) {
        let Some((name, rest)) = path.split_once('/') else { return self.0.push(Node::Leaf(path, field)) };
        for node in &mut self.0 {
            if let Node::Branch(there, below) = node
                && *there == name
            {
                return below.add(rest, field);
            }
        }
        let mut below = Self(Vec::new());
        below.add(rest, field);
        self.0.push(Node::Branch(name, below));
    }

    /// A record, for a serializer.
    pub fn record<'t, 'r, 'a>(&'t self, row: &'r K::Row<'a>, complex: bool) -> Record<'t, 'r, 'a, K> {
        Record { tree: self, row, complex }
    }
}

/// A record, or a part of it.
pub(super) struct Record<'t, 'r, 'a, K: Records + ?Sized> {
    tree: &'t Tree<K>,
    row: &'r K::Row<'a>,
    complex: bool,
}

impl<K: Records + ?Sized> Serialize for Record<'_, '_, '_, K> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.tree.0.len()))?;
        for node in &self.tree.0 {
            match node {
                Node::Leaf(name, field) => {
                    let value = &(field.value)(self.row);
                    map.serialize_entry(name, &Shown { value, complex: self.complex })?;
                }
                Node::Branch(name, below) => map.serialize_entry(name, &below.record(self.row, self.complex))?,
            }
        }
        map.end()
    }
}

/// A record as a value, for one that stands in another.
pub(super) fn value_of<'r, K: Records + ?Sized>(row: &'r K::Row<'_>) -> Value<'r> {
    fn fields<'r, K: Records + ?Sized>(tree: &Tree<K>, row: &'r K::Row<'_>) -> Value<'r> {
        let of = |node: &Node<K>| match node {
            Node::Leaf(name, field) => (*name, (field.value)(row)),
            Node::Branch(name, below) => (*name, fields(below, row)),
        };
        Value::Map(tree.0.iter().map(of).collect())
    }
    fields(&Tree::<K>::new(), row)
}
