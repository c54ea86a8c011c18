//! The databases in a private server, and the addresses to reach them by.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqlSafeStr};

use super::{EmbeddedError, PrivatePostgres};

/// The role that owns the plan's tables: no superuser, as at users' sites.
pub const PLAN_OWNER: &str = "prefix_user";

impl PrivatePostgres {
    /// The address of `database` for `user`, as sqlx, psql and `pg_dump` take it.
    pub fn url(&self, database: &str, user: &str) -> String {
        // The host in front is overruled by the parameter; it stands there because a URL with a
        // user and no host is refused by some parsers.
        format!(
            "postgres://{}@localhost/{}?host={}",
            percent_encoded(user),
            percent_encoded(database),
            percent_encoded(&self.socket_dir().to_string_lossy())
        )
    }

    /// Creates the database `name`, owned by the role `owner`, which may log in and is no
    /// superuser. What is there already is left as it is.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn create_owner_database(
        &self,
        name: &str,
        owner: &str,
    ) -> Result<(), EmbeddedError> {
        let mut admin = PgConnection::connect(&self.url("postgres", "postgres")).await?;
        let has_role = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
        if !exists(&mut admin, has_role, owner).await? {
            let create = format!("CREATE ROLE {} LOGIN NOSUPERUSER", quoted(owner));
            run(&mut admin, create).await?;
        }
        let has_database = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
        if !exists(&mut admin, has_database, name).await? {
            let create = format!("CREATE DATABASE {} OWNER {}", quoted(name), quoted(owner));
            run(&mut admin, create).await?;
        }
        admin.close().await?;
        Ok(())
    }

    /// Creates the database `name` with an empty plan, owned by [`PLAN_OWNER`], and returns that
    /// role's URL. Called again, it returns the URL of what is there.
    ///
    /// # Errors
    /// When the database or its schema cannot be created.
    pub async fn create_plan_database(&self, name: &str) -> Result<String, EmbeddedError> {
        self.create_owner_database(name, PLAN_OWNER).await?;
        let url = self.url(name, PLAN_OWNER);
        let mut owner = PgConnection::connect(&url).await?;
        apply_schema(&mut owner).await?;
        owner.close().await?;
        Ok(url)
    }
}

/// Creates the IPAM tables in the database of `connection`, whose role must own it. Where this
/// was done before, nothing happens.
///
/// # Errors
/// When a statement fails; then no table was created.
pub async fn apply_schema(connection: &mut PgConnection) -> Result<(), EmbeddedError> {
    // Not `run`: what that takes makes this future impossible to send to another thread.
    schema().run_direct(None, connection, false).await?;
    Ok(())
}

/// Returns the migrations as `sqlx::migrate!()` would. That macro builds sqlx and its TLS a second time, for the
/// compiler.
fn schema() -> Migrator {
    let sql = include_str!("../../migrations/0001_ipam_schema.sql").into_sql_str();
    let first = Migration::new(1, "ipam schema".into(), MigrationType::Simple, sql, false);
    Migrator::with_migrations(vec![first])
}

async fn exists(
    admin: &mut PgConnection,
    question: &'static str,
    name: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(question).bind(name).fetch_one(admin).await
}

async fn run(admin: &mut PgConnection, statement: String) -> Result<(), sqlx::Error> {
    // Every name in these statements went through `quoted`.
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(admin).await?;
    Ok(())
}

fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_part_is_percent_encoded_but_for_what_is_safe_everywhere() {
        assert_eq!(percent_encoded("/tmp/a b.c-d_1"), "%2Ftmp%2Fa%20b.c-d_1");
        assert_eq!(percent_encoded("ä?@"), "%C3%A4%3F%40");
    }

    #[test]
    fn a_name_with_a_quote_stays_one_identifier() {
        assert_eq!(quoted("a\"; DROP"), "\"a\"\"; DROP\"");
    }
}
