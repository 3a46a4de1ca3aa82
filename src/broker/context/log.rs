//! The log of one incarnation: of the lines that one place in the source writes, one a second is emitted.

use crate::broker::context::log_lines::{self, LogLines, Verdict};
use crate::clock::boot_millis;
use crate::ids::Incarnation;
use crate::level::Level;
use crate::lock::lock;
use std::panic::Location;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;

/// Emits the lines of one incarnation, and holds back those that follow each other too fast.
pub(crate) struct Log {
    incarnation: Incarnation,
    lines: Mutex<LogLines>,
    /// A line was held back, the first one of its kind.
    held: Notify,
}

impl Log {
    /// A log whose lines name this incarnation.
    pub(crate) fn new(incarnation: Incarnation) -> Self {
        Self { incarnation, lines: Mutex::default(), held: Notify::new() }
    }

    /// Writes a line that this place in the source wrote.
    pub(crate) fn write(&self, place: &'static Location<'static>, level: Level, message: String) {
        let kind = log_lines::kind_of(place);
        let verdict = lock(&self.lines).admit(kind, boot_millis(), level, message);
        match verdict {
            Verdict::Emit(level, message) => self.emit(level, &message),
            Verdict::HoldFirst => self.held.notify_one(),
            Verdict::Hold => {}
        }
    }

    /// Emits the lines that were held back, each when its second is over. Runs until its task is ended.
    pub(crate) async fn keep(&self) {
        loop {
            let next = lock(&self.lines).next_due();
            let wait = next.map(|due| Duration::from_millis(due.saturating_sub(boot_millis())));
            tokio::select! {
                () = self.held.notified() => continue,
                () = async { match wait { Some(wait) => tokio::time::sleep(wait).await, None => std::future::pending().await } } => {}
            }
            let lines = lock(&self.lines).due(boot_millis());
            lines.iter().for_each(|(level, message)| self.emit(*level, message));
        }
    }

    /// Emits what is still held back: the incarnation ends.
    pub(crate) fn close(&self) {
        let lines = lock(&self.lines).drain();
        lines.iter().for_each(|(level, message)| self.emit(*level, message));
    }

    fn emit(&self, level: Level, message: &str) {
        match level {
            Level::Debug => tracing::debug!(broker = %self.incarnation, "{message}"),
            Level::Info => tracing::info!(broker = %self.incarnation, "{message}"),
            Level::Warn => tracing::warn!(broker = %self.incarnation, "{message}"),
            Level::Error => tracing::error!(broker = %self.incarnation, "{message}"),
        }
    }
}
