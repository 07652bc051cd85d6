//! What an agent says in a log that others read too: lines among other lines.
//!
//! Where all that comes back from a node is the log of its job, the agent writes what the script's
//! output and its own events are in *frames*, a line each, and the reader takes them out again, byte for
//! byte, whatever the log has put around them (a prefix with colours, other lines) and however often it
//! shows them again. A frame has the number of its run, a sequence number and a checksum, so that none is
//! taken twice and a missing one is noticed.
//!
//! Short printable lines are left readable, for those who look at the log itself.

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bytes of the script's stdout (and of its stderr, where both go to one file).
    Output,
    /// Bytes of the script's stderr.
    Error,
    /// One [`super::Event`] as JSON.
    Event,
}

/// Makes frames.
pub struct Writer {}

impl Writer {
    /// Begins a run; `run` tells it from every other run of the same job (a random number will do).
    pub fn new(run: u32) -> Self {
        let _ = run;
        todo!("frames")
    }

    /// Appends the frames that carry `bytes` to `log`: whole lines, each at most 64 KiB long.
    pub fn write(&mut self, kind: Kind, bytes: &[u8], log: &mut Vec<u8>) {
        let _ = (kind, bytes, log);
        todo!("frames")
    }
}

/// What a reader found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The first frame of another run than the last; what follows is of this run.
    Run(u32),
    /// What the next frame in order carried.
    Data(Kind, Vec<u8>),
    /// A line that is no frame, without its end and its colours: somebody else's.
    Line(String),
}

/// A frame is missing, or damaged: the log has to be read again from an earlier place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log lacks frame {expected}")]
pub struct Gap {
    /// The frame that should have come.
    pub expected: u64,
}

/// Takes frames out of a log. A log that is read again from its start, or from some place before the end of
/// what was read, is fed to the same reader after [`Reader::rewind`].
pub struct Reader {}

impl Reader {
    /// For a log of which nothing was read.
    pub fn new() -> Self {
        todo!("frames")
    }

    /// For a log of which all frames of `run` before number `next` were read by another reader.
    pub fn resume(run: u32, next: u64) -> Self {
        let _ = (run, next);
        todo!("frames")
    }

    /// The run that is being read and the number of the next frame: what [`Reader::resume`] wants.
    pub fn position(&self) -> Option<(u32, u64)> {
        todo!("frames")
    }

    /// The log begins anew; frames that were read are passed over.
    pub fn rewind(&mut self) {
        todo!("frames")
    }

    /// More of the log, in pieces of any size.
    ///
    /// # Errors
    /// When a frame is missing or damaged. What was found before it is in `found`.
    pub fn read(&mut self, log: &[u8], found: &mut Vec<Found>) -> Result<(), Gap> {
        let _ = (log, found);
        todo!("frames")
    }
}
