//! Tables of fields, and records written by them.

use super::{
    layout::{Bracket, Layout},
    value::Value,
};
use std::io;

/// What a table is about.
pub trait Records: 'static {
    /// One of them.
    type Row<'a>;
    /// All fields.
    const FIELDS: &'static [Field<Self>];
    /// Whether there is always one, which then stands for the list of them.
    const SINGLE: bool = false;
    /// The warning that there are none, where Slurm gives one.
    const NONE: Option<&'static str> = None;
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

    /// Writes a record.
    pub fn write(&self, row: &K::Row<'_>, to: &mut dyn Layout, complex: bool) -> io::Result<()> {
        to.open(Bracket::Map)?;
        for node in &self.0 {
            match node {
                Node::Leaf(name, field) => {
                    to.key(name)?;
                    (field.value)(row).write(to, complex)?;
                }
                Node::Branch(name, below) => {
                    to.key(name)?;
                    below.write(row, to, complex)?;
                }
            }
        }
        to.close()
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
