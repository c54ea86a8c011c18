//! Names who holds a lock that was waited for in vain.

use super::error::{DatabaseError, Trouble, While};
use super::relation::Site;
use super::session::Session;

/// What the wait was for, and so which locks of others were in the way.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// To read these tables.
    Reading(&'a Site),
    /// To keep writers out of these tables.
    Writing(&'a Site),
    /// Something else: a row or a sequence of another table, an advisory lock of a function.
    Anything,
}

impl Wanted<'_> {
    /// A condition on `pg_locks`.
    fn in_the_way(self) -> String {
        let of = |site: &Site| {
            format!("locktype = 'relation' AND relation = ANY ({})", site.tree_oids())
        };
        match self {
            Self::Reading(site) => format!("{} AND mode = 'AccessExclusiveLock'", of(site)),
            Self::Writing(site) => format!("{} AND mode <> 'AccessShareLock'", of(site)),
            Self::Anything => "(locktype = 'advisory' OR mode = 'AccessExclusiveLock'
                 OR (relation >= 16384 AND mode <> 'AccessShareLock'))"
                .into(),
        }
    }
}

impl Session {
    /// The error, with the holders of the locks if it is that a lock could not be had in time. Ends
    /// the failed transaction.
    pub async fn name_blockers(&mut self, error: DatabaseError) -> DatabaseError {
        if !matches!(error.trouble, Trouble::LockTimeout(_)) {
            return error;
        }
        match self.blockers(Wanted::Anything).await {
            Ok(found) if !found.is_empty() => {
                DatabaseError { what: error.what, trouble: Trouble::Blocked(found) }
            }
            _ => error,
        }
    }

    /// Who holds what is in the way, one sentence each. Ends the failed transaction. Behind one that
    /// itself waits for such a lock stands whoever makes it wait.
    pub(super) async fn blockers(
        &mut self,
        wanted: Wanted<'_>,
    ) -> Result<Vec<String>, DatabaseError> {
        self.rollback().await?;
        self.begin_look().await?;
        let query = format!(
            "WITH others AS (
                 SELECT pid, virtualtransaction, locktype, relation, mode, granted FROM pg_locks
                 WHERE pid IS DISTINCT FROM pg_backend_pid()
                 AND locktype IN ('relation', 'advisory')
                 AND database IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
             ), found AS (
                 SELECT * FROM others WHERE {0}
                 UNION
                 SELECT * FROM others WHERE granted AND relation IN (
                     SELECT relation FROM others WHERE {0} AND NOT granted)
             )
             SELECT concat(
                 CASE WHEN f.pid IS NULL THEN concat(
                     'the prepared transaction ', quote_literal(p.gid), ' (user ', p.owner,
                     ', prepared at ', {1}, ')')
                 ELSE concat('process ', f.pid, ' (', concat_ws(', ', 'user ' || a.usename,
                     'application ' || nullif(a.application_name, ''), {2}), ')') END,
                 CASE WHEN f.granted THEN ' holds ' ELSE ' waits for ' END,
                 CASE WHEN f.locktype = 'advisory' THEN 'an advisory lock' ELSE concat(
                     upper(regexp_replace(replace(f.mode, 'Lock', ''), '([a-z])([A-Z])', '\\1 \\2', 'g')),
                     ' on ', string_agg(DISTINCT f.relation::regclass::text, ', ')) END)
             FROM found f LEFT JOIN pg_stat_activity a ON a.pid = f.pid
             LEFT JOIN (pg_prepared_xacts p JOIN pg_locks own ON own.locktype = 'transactionid'
                 AND own.pid IS NULL AND own.granted AND own.transactionid = p.transaction)
                 ON f.pid IS NULL AND f.virtualtransaction = own.virtualtransaction
             GROUP BY f.pid, f.locktype, f.mode, f.granted, p.gid, p.owner, p.prepared, a.usename,
                 a.application_name, a.state, a.state_change, a.xact_start
             ORDER BY f.locktype DESC, f.granted, 1",
            wanted.in_the_way(),
            time("p.prepared"),
            activity(),
        );
        let rows: Vec<(String,)> = self.rows(query).await.trying("learn who holds the locks")?;
        self.rollback().await?;
        Ok(rows.into_iter().map(|(sentence,)| sentence).collect())
    }
}

fn time(value: &str) -> String {
    format!("to_char({value} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS \"UTC\"')")
}

/// What a session does, and since when; null if this role may not know.
fn activity() -> String {
    format!(
        "CASE WHEN a.state LIKE 'idle%' THEN concat(a.state, ' since ', {})
              ELSE concat_ws(', ', a.state, 'its transaction began at ' || {}) END",
        time("a.state_change"),
        time("a.xact_start")
    )
}
