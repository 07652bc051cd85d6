//! What makes a connection between nodes secret: Noise (<https://noiseprotocol.org>), with a key that only the agents
//! of one run of one job have.
//!
//! A message is its length (2 bytes, big endian) and that many bytes. The first from either side makes the
//! session; one who has not the key never gets that far, and learns nothing but that somebody listens.

use snow::{Builder, HandshakeState, TransportState};

/// Curve, cipher and hash are those every implementation has; `psk0`: who cannot prove the key gets no answer.
const PATTERN: &str = "Noise_NNpsk0_25519_ChaChaPoly_BLAKE2s";

/// Both messages that make a session: a public key and a tag.
const HELLO: usize = 32 + TAG;

const TAG: usize = 16;

/// The longest message Noise has.
const LONGEST: usize = 65_535;

/// What two agents of a job have in common.
pub(crate) type Key = [u8; 32];

/// The other end is no agent of this job, or somebody has meddled.
#[derive(Debug, thiserror::Error)]
#[error("the other end does not know the job's key")]
pub(crate) struct Stranger;

/// One end of a session.
pub(crate) struct Session {
    state: State,
    /// What has arrived and is no whole message yet.
    arrived: Vec<u8>,
    /// What is to be said once there is a session.
    held: Vec<u8>,
}

enum State {
    /// The first messages are under way.
    Greeting(Box<HandshakeState>),
    Open(Box<TransportState>),
    Broken,
}

impl Session {
    /// The end that connects. Its first message is put into `out`.
    pub fn connecting(key: &Key, out: &mut Vec<u8>) -> Result<Self, Stranger> {
        let mut state = builder(key)?.build_initiator().map_err(|_| Stranger)?;
        write(out, 0, |to| state.write_message(&[], to))?;
        Ok(Self::new(state))
    }

    /// The end that was connected to.
    pub fn accepting(key: &Key) -> Result<Self, Stranger> {
        Ok(Self::new(builder(key)?.build_responder().map_err(|_| Stranger)?))
    }

    fn new(state: HandshakeState) -> Self {
        Self { state: State::Greeting(Box::new(state)), arrived: Vec::new(), held: Vec::new() }
    }

    /// Whether the other end has shown that it knows the key.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Bytes that wait for the session.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Puts `plain` into `out` as messages, or keeps it until there is a session.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), Stranger> {
        match &mut self.state {
            State::Open(state) => {
                out.reserve(plain.len() + (plain.len() / (LONGEST - TAG) + 1) * (TAG + 2));
                for chunk in plain.chunks(LONGEST - TAG) {
                    write(out, chunk.len(), |to| state.write_message(chunk, to))?;
                }
            }
            State::Greeting(_) => self.held.extend_from_slice(plain),
            State::Broken => return Err(Stranger),
        }
        Ok(())
    }

    /// Takes in bytes as they arrive: what they say goes to `plain`, what is to be answered to `out`.
    pub fn open(&mut self, bytes: &[u8], plain: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), Stranger> {
        let mut arrived = std::mem::take(&mut self.arrived);
        // Mostly there is nothing left of the last time.
        let all = if arrived.is_empty() {
            bytes
        } else {
            arrived.extend_from_slice(bytes);
            &arrived
        };
        let mut at = 0;
        while let Some(message) = all.get(at..).and_then(whole) {
            at += 2 + message.len();
            if self.is_open() {
                self.read(message, plain)?;
            } else {
                self.greet(message, out)?;
            }
        }
        let rest = all.get(at..).unwrap_or_default();
        let length = rest.first_chunk().map_or(HELLO, |l| usize::from(u16::from_be_bytes(*l)));
        if !self.is_open() && length != HELLO {
            self.state = State::Broken;
            return Err(Stranger);
        }
        self.arrived = rest.to_vec();
        Ok(())
    }

    fn read(&mut self, message: &[u8], plain: &mut Vec<u8>) -> Result<(), Stranger> {
        let State::Open(state) = &mut self.state else { return Err(Stranger) };
        let before = plain.len();
        plain.resize(before + message.len(), 0);
        let read = state.read_message(message, plain.get_mut(before..).unwrap_or_default());
        plain.truncate(before + read.as_ref().map_or(0, |n| *n));
        read.map(drop).map_err(|_| Stranger)
    }

    fn greet(&mut self, message: &[u8], out: &mut Vec<u8>) -> Result<(), Stranger> {
        let State::Greeting(mut state) = std::mem::replace(&mut self.state, State::Broken) else {
            return Err(Stranger);
        };
        state.read_message(message, &mut []).map_err(|_| Stranger)?;
        if !state.is_initiator() {
            write(out, 0, |to| state.write_message(&[], to))?;
        }
        self.state = State::Open(Box::new(state.into_transport_mode().map_err(|_| Stranger)?));
        let held = std::mem::take(&mut self.held);
        self.seal(&held, out)
    }
}

fn builder(key: &Key) -> Result<Builder<'_>, Stranger> {
    let pattern = PATTERN.parse().map_err(|_| Stranger)?;
    Builder::new(pattern).psk(0, key).map_err(|_| Stranger)
}

/// Appends one message with `length` bytes of content.
fn write(
    out: &mut Vec<u8>,
    length: usize,
    message: impl FnOnce(&mut [u8]) -> Result<usize, snow::Error>,
) -> Result<(), Stranger> {
    let before = out.len();
    out.resize(before + 2 + length + HELLO, 0);
    let written = message(out.get_mut(before + 2..).unwrap_or_default()).map_err(|_| Stranger)?;
    out.truncate(before + 2 + written);
    let length = u16::try_from(written).map_err(|_| Stranger)?.to_be_bytes();
    if let Some(head) = out.get_mut(before..before + 2) {
        head.copy_from_slice(&length);
    }
    Ok(())
}

/// The first message of `bytes`, if it is there in full.
fn whole(bytes: &[u8]) -> Option<&[u8]> {
    let length = u16::from_be_bytes(*bytes.first_chunk()?);
    bytes.get(2..2 + usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair() -> (Session, Session) {
        let mut hello = Vec::new();
        let mut a = Session::connecting(&[7; 32], &mut hello).unwrap();
        let mut b = Session::accepting(&[7; 32]).unwrap();
        let (mut answer, mut none) = (Vec::new(), Vec::new());
        b.open(&hello, &mut none, &mut answer).unwrap();
        a.open(&answer, &mut none, &mut Vec::new()).unwrap();
        assert!(a.is_open() && b.is_open() && none.is_empty());
        (a, b)
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard_however_it_is_cut(said: Vec<Vec<u8>>, cut in 1usize..97) {
            let mut hello = Vec::new();
            let mut a = Session::connecting(&[7; 32], &mut hello).unwrap();
            let mut b = Session::accepting(&[7; 32]).unwrap();
            for bytes in &said {
                a.seal(bytes, &mut hello).unwrap(); // held: there is no session yet
            }
            let (mut heard, mut answer, mut more) = (Vec::new(), Vec::new(), Vec::new());
            for piece in hello.chunks(cut) {
                b.open(piece, &mut heard, &mut answer).unwrap();
            }
            for piece in answer.chunks(cut) {
                a.open(piece, &mut Vec::new(), &mut more).unwrap();
            }
            for piece in more.chunks(cut) {
                b.open(piece, &mut heard, &mut Vec::new()).unwrap();
            }
            prop_assert_eq!(heard, said.concat());
        }

        #[test]
        fn garbage_is_a_stranger_s(garbage in proptest::collection::vec(any::<u8>(), 50..200)) {
            let mut b = Session::accepting(&[7; 32]).unwrap();
            prop_assert!(b.open(&garbage, &mut Vec::new(), &mut Vec::new()).is_err());
        }
    }

    #[test]
    fn another_job_s_agent_is_a_stranger() {
        let mut hello = Vec::new();
        Session::connecting(&[8; 32], &mut hello).unwrap();
        let mut b = Session::accepting(&[7; 32]).unwrap();
        let mut answer = Vec::new();
        assert!(b.open(&hello, &mut Vec::new(), &mut answer).is_err() && answer.is_empty() && !b.is_open());
    }

    #[test]
    fn more_than_a_message_holds_is_several_and_none_may_be_changed() {
        let (mut a, mut b) = pair();
        let big: Vec<u8> = (0..300_000).map(|i| i as u8).collect();
        let (mut sealed, mut heard) = (Vec::new(), Vec::new());
        a.seal(&big, &mut sealed).unwrap();
        b.open(&sealed, &mut heard, &mut Vec::new()).unwrap();
        assert!(heard == big);
        a.seal(b"x", &mut sealed).unwrap();
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        assert!(b.open(&sealed[last - 18..], &mut heard, &mut Vec::new()).is_err());
    }
}
