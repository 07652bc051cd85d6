//! Bytes that are nearly right: pieces of what is valid, with what tends to break parsers put in.

/// Numbers that look random; the same ones for the same seed.
pub struct Dice(u64);

impl Dice {
    /// Of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 0 to `most`, without it; 0 where there is nothing to choose.
    pub fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    /// One of them.
    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// What parsers stumble over.
const TOKENS: [&[u8]; 40] = [
    b"0",
    b"-1",
    b"4294967295",
    b"4294967296",
    b"18446744073709551616",
    b"9999999999999999999999",
    b"1e309",
    b"0x",
    b"%",
    b"%99999999999j",
    b"%0",
    b"[",
    b"]",
    b"[0-4294967295]",
    b"[1-3,7]",
    b"-",
    b"--",
    b":",
    b"::",
    b",",
    b",,",
    b"=",
    b"?",
    b"*",
    b"/",
    b"\\",
    b"\"",
    b"'",
    b"\n",
    b"\r\n",
    b"\0",
    b"\t",
    b"\xff",
    b"\xc3",
    "ä\u{202e}\u{0301}".as_bytes(),
    b"{",
    b"}",
    b"null",
    b"#SBATCH ",
    b"UNLIMITED",
];

/// One of `corpus`, with one to six changes.
pub fn mutate(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = dice.of(corpus).clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(bytes.len() + 1);
        let end = (at + 1 + dice.below(8)).min(bytes.len());
        match dice.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 if at < bytes.len() => bytes[at] = dice.below(256) as u8,
            2 => drop(bytes.drain(at.min(end)..end)),
            3 => {
                let piece = bytes[at.min(end)..end].to_vec();
                let times = 1 + dice.below(64);
                bytes.splice(at..at, piece.repeat(times));
            }
            4 => {
                let other = dice.of(corpus);
                let from = dice.below(other.len() + 1);
                let to = (from + 1 + dice.below(40)).min(other.len());
                bytes.splice(at..at, other[from.min(to)..to].iter().copied());
            }
            5 => bytes.truncate(at),
            _ => drop(bytes.splice(at..at, dice.of(&TOKENS).iter().copied())),
        }
        bytes.truncate(1 << 16);
    }
    bytes
}
