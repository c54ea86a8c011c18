//! Keeps writers out of the tables while a restore works; readers go on.

use std::time::{Duration, Instant};

use super::error::{DatabaseError, Trouble, While, is_lock_timeout};
use super::session::Session;
use super::sql;

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
    /// # Errors
    /// [`Trouble::Blocked`] with who is in the way; [`Trouble::NotPermitted`] if the role does not
    /// own the tables.
    pub async fn begin_exclusive(
        &mut self,
        tables: &[&str],
        patience: Duration,
    ) -> Result<(), DatabaseError> {
        let list = sql::names(tables.iter().copied());
        let begin = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {};
             LOCK TABLE {list} IN EXCLUSIVE MODE; SET LOCAL lock_timeout = {}",
            ONE_TRY.as_millis(),
            patience.max(ONE_TRY).as_millis()
        );
        let since = Instant::now();
        loop {
            match self.run(begin.clone()).await {
                Ok(_) => return Ok(()),
                Err(error) if is_lock_timeout(&error) => {
                    let blockers = self.blockers(tables).await?;
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
    pub async fn beside(&self, tables: &[&str]) -> Option<Self> {
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
             LOCK TABLE {} IN ACCESS SHARE MODE NOWAIT",
            sql::names(tables.iter().copied())
        );
        let mut beside = self.sibling().await.ok()?;
        beside.run(begin).await.ok()?;
        Some(beside)
    }

    /// Who holds what is in the way, one sentence each. Ends the failed transaction.
    async fn blockers(&mut self, tables: &[&str]) -> Result<Vec<String>, DatabaseError> {
        self.rollback().await?;
        let query = format!(
            "SELECT DISTINCT format('process %s (user %s%s) is {} on %s since %s', l.pid,
                 coalesce(a.usename, '?'),
                 coalesce(', application ' || nullif(a.application_name, ''), ''),
                 l.mode, l.relation::regclass,
                 coalesce(to_char(a.xact_start, 'YYYY-MM-DD HH24:MI:SS \"UTC\"'), '?'))
             FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
             WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_backend_pid()
             AND l.relation = ANY ({})
             AND l.mode <> 'AccessShareLock' ORDER BY 1",
            "holding %s",
            sql::regclasses(tables.iter().copied())
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying("learn who holds the tables")?;
        Ok(rows.into_iter().map(|(sentence,)| sentence).collect())
    }
}
