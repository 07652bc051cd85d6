//! srun's own terminal while `--pty` hands it to a task.

use nix::{
    libc,
    sys::termios::{self, SetArg, Termios},
};
use std::io;

/// A terminal in raw mode; it is put back when this is dropped.
pub struct Raw(Termios);

impl Raw {
    /// Makes the terminal on stdin pass everything through.
    pub fn enter() -> Option<Self> {
        let before = termios::tcgetattr(io::stdin()).ok()?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw).ok()?;
        Some(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// Rows and columns of the terminal on stdin; an error where it is none.
pub(super) fn size() -> io::Result<(u16, u16)> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: TIOCGWINSZ writes one winsize.
    match unsafe { libc::ioctl(0, libc::TIOCGWINSZ, &mut size) } {
        0 => Ok((size.ws_row, size.ws_col)),
        _ => Err(io::Error::last_os_error()),
    }
}
