//! What entries are called. Looking one up makes the key each time, as a query does.

use std::hash::Hash;
use std::sync::Arc;

use equivalent::Equivalent;

/// The index that all entries belong to.
pub const UUID: &str = "6a1f8f5e-3c1d-4b8e-9f57-2f0c6f1f4a3b";

pub trait KeyStyle: 'static {
    type Owned: Hash + Eq + Send + Sync + 'static;
    type Borrowed<'a>: Hash + Equivalent<Self::Owned>;
    fn own(uuid: &Arc<str>, partition: u32) -> Self::Owned;
    fn borrow<'a>(uuid: &'a str, partition: u32) -> Self::Borrowed<'a>;
}

/// An index's UUID as text and a partition, as Lance has them. All entries share one copy of the text, and a look-up
/// borrows it: nothing is allocated or counted. Hashes and compares 40 bytes; ours hashes the key's type and fields,
/// then their digest with the namespace's, 63 bytes in all, and compares 16.
pub enum UuidStyle {}

#[derive(PartialEq, Eq)]
pub struct UuidKey {
    uuid: Arc<str>,
    partition: u32,
}

impl Hash for UuidKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        UuidKeyRef { uuid: &self.uuid, partition: self.partition }.hash(state);
    }
}

#[derive(Hash)]
pub struct UuidKeyRef<'a> {
    uuid: &'a str,
    partition: u32,
}

impl Equivalent<UuidKey> for UuidKeyRef<'_> {
    fn equivalent(&self, key: &UuidKey) -> bool {
        self.partition == key.partition && *self.uuid == *key.uuid
    }
}

impl KeyStyle for UuidStyle {
    type Owned = UuidKey;
    type Borrowed<'a> = UuidKeyRef<'a>;
    fn own(uuid: &Arc<str>, partition: u32) -> UuidKey {
        UuidKey { uuid: uuid.clone(), partition }
    }
    fn borrow<'a>(uuid: &'a str, partition: u32) -> UuidKeyRef<'a> {
        UuidKeyRef { uuid, partition }
    }
}

/// A bare number: the least that a key can cost. It could not tell two indexes apart.
pub enum NumberStyle {}

impl KeyStyle for NumberStyle {
    type Owned = u32;
    type Borrowed<'a> = u32;
    fn own(_: &Arc<str>, partition: u32) -> u32 {
        partition
    }
    fn borrow<'a>(_: &'a str, partition: u32) -> u32 {
        partition
    }
}
