//! Transactions that read: what they see is one snapshot of the tables.

use super::blockers::Wanted;
use super::error::{DatabaseError, Trouble, While, is_lock_timeout};
use super::relation::{Relation, Site, unsuitable};
use super::session::Session;
use super::sql;

const SNAPSHOT: &str = "take a snapshot of the tables";

impl Session {
    /// The statements that begin a transaction with the settings that it relies on. They do not take
    /// its snapshot yet.
    pub(super) fn begin(&self, mode: &str) -> String {
        format!("BEGIN ISOLATION LEVEL {mode};{}", self.pins.set_local())
    }

    /// Begins a transaction for a look at the catalog, or at single rows.
    ///
    /// # Errors
    /// If the connection is lost.
    pub async fn begin_look(&mut self) -> Result<(), DatabaseError> {
        let begin = self.begin("READ COMMITTED READ ONLY");
        self.run(begin).await.trying("begin a transaction")?;
        Ok(())
    }

    /// Begins a transaction that sees one snapshot of these tables and writes nothing. The tables
    /// are locked before the snapshot is taken: a TRUNCATE in between would empty them under it.
    ///
    /// # Errors
    /// If a table cannot be locked for reading, or its rows cannot be read exactly.
    pub async fn begin_snapshot(&mut self, site: &Site) -> Result<(), DatabaseError> {
        self.begin_reading("REPEATABLE READ READ ONLY", site).await
    }

    /// As [`Session::begin_snapshot`], for a transaction that may make temporary tables. It is to be
    /// rolled back.
    ///
    /// # Errors
    /// As of [`Session::begin_snapshot`].
    pub async fn begin_scratch_snapshot(&mut self, site: &Site) -> Result<(), DatabaseError> {
        self.begin_reading("REPEATABLE READ READ WRITE", site).await
    }

    async fn begin_reading(&mut self, mode: &str, site: &Site) -> Result<(), DatabaseError> {
        let lock = format!("{} LOCK TABLE {} IN ACCESS SHARE MODE", self.begin(mode), site.names());
        match self.run(lock).await {
            Ok(_) => self.check_site(site).await,
            Err(error) if is_lock_timeout(&error) => {
                let blockers = self.blockers(Wanted::Reading(site)).await?;
                Err(DatabaseError { what: SNAPSHOT.into(), trouble: Trouble::Blocked(blockers) })
            }
            Err(error) => Err(error).trying(SNAPSHOT),
        }
    }

    /// Begins a transaction that sees the snapshot of the first session's, and holds the tables like
    /// that one. False if it does not, since somebody waits for a table with a stronger lock: to wait
    /// behind them would be to wait for the first session, which waits for this one in turn.
    ///
    /// # Errors
    /// If the server does not share the snapshot.
    pub async fn begin_shared(
        &mut self,
        first: &mut Self,
        site: &Site,
    ) -> Result<bool, DatabaseError> {
        let what = "share the snapshot";
        let snapshot: String =
            first.value("SELECT pg_export_snapshot()".into()).await.trying(what)?;
        let begin = format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {};
             {}",
            sql::literal(&snapshot),
            self.pins.set_local()
        );
        self.run(begin).await.trying(what)?;
        let lock = format!("LOCK TABLE {} IN ACCESS SHARE MODE NOWAIT", site.names());
        match self.run(lock).await {
            Ok(_) => self.check_settings(site).await.map(|()| true),
            Err(error) if is_lock_timeout(&error) => self.rollback().await.map(|()| false),
            Err(error) => Err(error).trying(what),
        }
    }

    /// Checks that this transaction reads every row of the tables, and that they are still those that
    /// were looked up.
    pub(super) async fn check_site(&mut self, site: &Site) -> Result<(), DatabaseError> {
        self.check_settings(site).await?;
        if self.site(&site.profile).await? != *site {
            let why = "its tables were replaced or altered just now; try again";
            return Err(unsuitable(why.into()));
        }
        refuse_inheritance(site)
    }

    /// Checks that the settings hold in this very transaction, and that no row is hidden from it.
    pub(super) async fn check_settings(&mut self, site: &Site) -> Result<(), DatabaseError> {
        let differing: Vec<(String,)> = self.rows(self.pins.differing()).await.trying(SNAPSHOT)?;
        if let Some((setting,)) = differing.first() {
            let why = format!("a setting does not hold within a transaction: {setting}");
            return Err(unsuitable(why));
        }
        self.refuse_hidden_rows(&site.oids()).await
    }

    /// Refuses tables of which row-level security hides rows from this role.
    pub(super) async fn refuse_hidden_rows(&mut self, oids: &str) -> Result<(), DatabaseError> {
        let hidden = format!(
            "SELECT pg_catalog.format('%I.%I', nspname, relname) FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE c.oid = ANY ({oids}) AND row_security_active(c.oid)"
        );
        let hidden: Vec<(String,)> = self.rows(hidden).await.trying(SNAPSHOT)?;
        match hidden.first() {
            None => Ok(()),
            Some((table,)) => Err(DatabaseError {
                what: format!("read all rows of {table}"),
                trouble: Trouble::RowsHidden(table.clone()),
            }),
        }
    }
}

/// Refuses tables whose rows are spread over others in a way that cannot be brought back.
fn refuse_inheritance(site: &Site) -> Result<(), DatabaseError> {
    for table in &site.tables {
        if let Some(below) = table.below.iter().find(|below| !below.is_local_partition) {
            return Err(unsuitable(cannot_hold(table, &below.table)));
        }
    }
    Ok(())
}

fn cannot_hold(table: &Relation, below: &str) -> String {
    let table = table.table();
    format!(
        "the rows of {below} are seen through {table}, which it inherits from or is a foreign \
         partition of, and cannot be brought back exactly; separate them: ALTER TABLE {below} NO \
         INHERIT {table}, or ALTER TABLE {table} DETACH PARTITION {below}"
    )
}
