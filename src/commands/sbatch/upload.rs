//! On a terminal: waiting while a job's files go up, so that who changes them next knows when. The job is on disk already,
//! and ^C leaves it alone.

use crate::{
    controller::{
        api::{Call, Reply},
        client::Client,
    },
    engine::Sending,
    job::JobId,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

/// An upload that takes longer than this gets a bar.
const PATIENCE: Duration = Duration::from_secs(1);

const ASK: Duration = Duration::from_millis(20);

/// Returns when the files of job `id` are there, or when there are none to be sent. Not on a terminal: at once.
pub(super) fn watch(controller: &mut Client, id: JobId) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let begun = Instant::now();
    let mut bar: Option<ProgressBar> = None;
    loop {
        let (done, total) = match controller.ask(&Call::Sending(id)) {
            Ok(Reply::Sending(Sending::Looking)) => (0, 0),
            Ok(Reply::Sending(Sending::Sent(done, total))) => (done, total),
            _ => break,
        };
        if begun.elapsed() > PATIENCE {
            let bar = bar.get_or_insert_with(new_bar);
            bar.set_length(total);
            bar.set_position(done);
        }
        std::thread::sleep(ASK);
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("uploading the work directory {bar:30} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
