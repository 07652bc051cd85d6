//! Waiting for a server that is away: with growing pauses, which end when it is back.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, timeout},
};

/// The first pause, and the shortest: who is told that the server is back does not come at once either.
const FIRST: Duration = Duration::from_millis(200);

/// The longest.
const LONGEST: Duration = Duration::from_secs(25);

/// Whether the server answers, as far as is known, and who waits for it to do so again.
#[derive(Default)]
pub(super) struct Reach {
    is_away: AtomicBool,
    back: Notify,
}

impl Reach {
    /// It gave no answer, or none that makes sense.
    pub(super) fn is_away(&self) {
        self.is_away.store(true, Ordering::Relaxed);
    }

    /// It gave one.
    pub(super) fn is_back(&self) {
        if self.is_away.swap(false, Ordering::Relaxed) {
            self.back.notify_waiters();
        }
    }

    /// Waits so long; less, if the server was away and is back.
    pub(super) async fn pause(&self, length: Duration) {
        let least = length.min(FIRST);
        sleep(least).await;
        let _ = timeout(length.saturating_sub(least), self.back.notified()).await;
    }
}

/// Growing pauses, until patience ends.
pub(super) struct Pauses {
    patience: Duration,
    since: Option<Instant>,
    next: Duration,
}

impl Pauses {
    pub(super) fn new(patience: Duration) -> Self {
        Self { patience, since: None, next: FIRST }
    }

    /// Waits; false when patience has ended.
    pub(super) async fn rest(&mut self, reach: &Reach) -> bool {
        let waited = self.since.get_or_insert_with(Instant::now).elapsed();
        let Some(left) = self.patience.checked_sub(waited).filter(|left| !left.is_zero()) else { return false };
        reach.pause(self.next.min(left)).await;
        self.next = self.next.mul_f64(1.6).min(LONGEST);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn who_waits_goes_on_when_the_server_is_back() {
        let reach = Arc::new(Reach::default());
        let waits = tokio::spawn({
            let reach = Arc::clone(&reach);
            async move { reach.pause(Duration::from_secs(3600)).await }
        });
        sleep(FIRST * 2).await;
        reach.is_back();
        sleep(FIRST).await;
        assert!(!waits.is_finished(), "one that was not away is not back");
        while !waits.is_finished() {
            reach.is_away();
            reach.is_back();
            sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn patience_ends() {
        let (reach, begun) = (Reach::default(), Instant::now());
        assert!(!Pauses::new(Duration::ZERO).rest(&reach).await);
        let mut pauses = Pauses::new(FIRST);
        while pauses.rest(&reach).await {}
        assert!(begun.elapsed() >= FIRST);
    }
}
