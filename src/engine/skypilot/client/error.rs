//! What can go wrong between us and the server, as far as it makes a difference to what is done next.

/// Why the server did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection, or it broke, or the server is overloaded or restarting, for longer than was waited. Nothing
    /// happened there that asking again could do twice.
    #[error("the SkyPilot API server at {endpoint} cannot be reached: {why}")]
    Unreachable {
        /// The server, without credentials.
        endpoint: String,
        /// Why, in words.
        why: String,
    },
    /// The answer was lost: what was asked for may have happened or not.
    #[error("the answer of the SkyPilot API server was lost: {0}")]
    MayHaveHappened(String),
    /// The server has taken it on as a request of its own, whose end could not be asked for now.
    #[error("the SkyPilot API server has not said yet what became of it: {why}")]
    Underway {
        /// The request's id.
        request: String,
        /// Why it could not be asked for.
        why: String,
    },
    /// It does not take our credentials, or wants some.
    #[error("the SkyPilot API server refuses the login: {0}")]
    Login(String),
    /// It is too old or too new for us.
    #[error("{0}")]
    Version(String),
    /// It refused, or the request failed there.
    #[error("{message}")]
    Refused {
        /// The exception's name: `ResourcesUnavailableError`, `ValueError`; empty if it told none.
        kind: String,
        /// What it said, without colours.
        message: String,
    },
    /// It has lost files that were sent to it, and did nothing: send them again.
    #[error("the SkyPilot API server has lost the files that were sent to it: {0}")]
    FilesLost(String),
    /// It answered something that makes no sense.
    #[error("the SkyPilot API server gave an answer that is not understood: {0}")]
    Nonsense(String),
    /// A file here that was to be sent cannot be read, or changed meanwhile.
    #[error("{file}: {why}")]
    File {
        /// Which.
        file: String,
        /// Why.
        why: String,
    },
}
