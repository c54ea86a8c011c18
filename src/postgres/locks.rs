//! Keeps writers out of the tables while a restore works; readers go on.

use std::time::{Duration, Instant};

use super::blockers::Wanted;
use super::error::{DatabaseError, Trouble, While, is_lock_timeout};
use super::relation::Site;
use super::session::Session;
use super::settings::limit_waits;

/// How long one try waits in the queue, where it holds up others.
const ONE_TRY: Duration = Duration::from_secs(2);
/// The pause between two tries, in which the others go on.
const PAUSE: Duration = Duration::from_millis(500);

impl Session {
    /// Begins a transaction that holds these tables against writers, in this order. Tries again
    /// and again, each time only briefly, until `patience` is used up; that is also how long the
    /// transaction then waits for any other lock.
    ///
    /// `SHARE ROW EXCLUSIVE` would let in those who lock rows: `SELECT … FOR UPDATE`, which the
    /// writes would wait for without end, and the checks of foreign keys of other tables, whose rows
    /// would then come to refer to what is being deleted.
    ///
    /// Returns when the lock that was granted was asked for: writers wait from then on.
    ///
    /// # Errors
    /// [`Trouble::Blocked`] with who is in the way; [`Trouble::NotPermitted`] if the role does not
    /// own the tables.
    pub async fn begin_exclusive(
        &mut self,
        site: &Site,
        patience: Duration,
    ) -> Result<Instant, DatabaseError> {
        let begin = format!(
            "{} {} LOCK TABLE {} IN EXCLUSIVE MODE; {}",
            self.begin("READ COMMITTED READ WRITE"),
            limit_waits(ONE_TRY),
            site.names(),
            limit_waits(patience.max(ONE_TRY))
        );
        let since = Instant::now();
        loop {
            let asked = Instant::now();
            match self.run(begin.clone()).await {
                Ok(_) => return self.check_site(site).await.map(|()| asked),
                Err(error) if is_lock_timeout(&error) => {
                    let blockers = self.blockers(Wanted::Writing(site)).await?;
                    if since.elapsed() >= patience {
                        let trouble = Trouble::Blocked(blockers);
                        return Err(DatabaseError { what: "lock the tables".into(), trouble });
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return Err(error).trying("lock the tables"),
            }
        }
    }

    /// A second session that sees the tables as this one does, which holds them by
    /// [`Session::begin_exclusive`] and has written nothing yet. `None` if there is none to be had: no
    /// further connection, or somebody waits for a table with a stronger lock. Waiting behind them
    /// would be waiting for this very session.
    pub async fn beside(&self, site: &Site) -> Option<Self> {
        let mut beside = self.sibling().await?;
        let begin = format!(
            "{} LOCK TABLE {} IN ACCESS SHARE MODE NOWAIT",
            beside.begin("REPEATABLE READ READ ONLY"),
            site.names()
        );
        beside.run(begin).await.ok()?;
        beside.check_settings(site).await.ok()?;
        Some(beside)
    }
}
