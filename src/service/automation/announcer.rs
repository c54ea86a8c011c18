//! Sends what there is to tell, with the newest good backup.

use crate::service::notify::{Notice, Notifier};
use crate::service::observe::overviews::Overviews;

/// Sends notices. Cloning is cheap.
#[derive(Clone)]
pub struct Announcer {
    pub notifier: Notifier,
    pub overviews: Overviews,
}

impl Announcer {
    /// Sends a notice to whoever wants it.
    pub async fn tell(&self, notice: Notice) {
        let overview = self.overviews.look().await.ok();
        let good = overview.and_then(|seen| seen.newest_good.as_ref().map(|(id, _)| id.clone()));
        self.notifier.send(&Notice { last_good_backup: good, ..notice });
    }
}
