//! Keys and values, no more than fit.

use super::Pair;
use crate::agent::step::Bytes;
use std::collections::BTreeMap;

/// The longest key (`PMI2_MAX_KEYLEN`), bytes.
pub(super) const KEY: usize = 64;
/// The longest value (`PMI2_MAX_VALLEN`), bytes.
pub(super) const VALUE: usize = 1024;
/// The longest name, that of a key-value space too (`MAXNAMELEN`), bytes. A longer key than was asked for is taken, too.
pub(super) const NAME: usize = 256;

/// What one store holds at most, bytes. A task of an MPI program puts about a kilobyte.
pub(super) const ROOM: usize = 64 << 20;

/// What a pair costs apart from its bytes.
const OVERHEAD: usize = 64;

/// A store.
#[derive(Default)]
pub(super) struct Store {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    used: usize,
}

impl Store {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        self.pairs.get(key).map(Vec::as_slice)
    }

    /// Gives a key a value. `false`: key or value are too long, or there is no room.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) -> bool {
        let held = self.pairs.get(&key).map_or(0, |old| cost(&key, old));
        let used = self.used - held + cost(&key, &value);
        let fits = key.len() <= NAME && value.len() <= VALUE && used <= ROOM;
        if fits {
            self.used = used;
            self.pairs.insert(key, value);
        }
        fits
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &[u8]) -> bool {
        let old = self.pairs.remove(key);
        self.used -= old.as_ref().map_or(0, |old| cost(key, old));
        old.is_some()
    }

    /// Takes everything out.
    pub fn take(&mut self) -> Vec<Pair> {
        let pairs = std::mem::take(self).pairs;
        pairs.into_iter().map(|(key, value)| (Bytes(key), Bytes(value))).collect()
    }
}

fn cost(key: &[u8], value: &[u8]) -> usize {
    OVERHEAD + key.len() + value.len()
}

/// What these pairs cost.
pub(super) fn total(pairs: &[Pair]) -> usize {
    pairs.iter().map(|(key, value)| cost(&key.0, &value.0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_much() {
        let mut store = Store::default();
        let put = |store: &mut Store, n: u32| store.put(n.to_be_bytes().to_vec(), vec![7; VALUE]);
        let most = (0..).take_while(|n| put(&mut store, *n)).count();
        assert_eq!(most, ROOM / (OVERHEAD + 4 + VALUE));
        assert!(put(&mut store, 0), "what is there can be put again");
        assert!(store.remove(&0u32.to_be_bytes()) && !store.remove(b"no"));
        assert!(put(&mut store, 99_999) && !put(&mut store, 99_998));
        let all = store.take();
        assert_eq!((all.len(), total(&all)), (most, most * (OVERHEAD + 4 + VALUE)));
        assert!(store.put(b"a".to_vec(), Vec::new()) && store.used == OVERHEAD + 1);
        assert!(!store.put(b"a".to_vec(), vec![0; VALUE + 1]) && !store.put(vec![0; NAME + 1], Vec::new()));
    }
}
