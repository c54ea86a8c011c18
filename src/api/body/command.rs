//! Documents of commands that the API has no call for.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::SUCCESS;
use crate::model::BackupId;
use crate::service::Role;
use crate::service::access::{Secret, Token};
use crate::store::{Checked, Finding};

/// Where an export went.
#[derive(Debug, Clone, Serialize)]
pub struct Exported {
    status: &'static str,
    /// The same in words.
    pub message: String,
    backup_id: BackupId,
    file: String,
    size: u64,
}

/// Where an export in the form of the application went.
#[derive(Debug, Clone, Serialize)]
pub struct ExportedFolder {
    status: &'static str,
    /// The same in words.
    pub message: String,
    /// The backup, or `live`.
    source: String,
    folder: String,
    files: Vec<String>,
    size: u64,
}

/// A token as it is listed.
#[derive(Debug, Clone, Serialize)]
pub struct ListedToken {
    /// What its holder is called.
    pub name: String,
    /// What its holder may do.
    pub role: Role,
    /// The author of backups that are made with it.
    pub author: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// Whether it has expired.
    pub expired: bool,
}

/// A new token, with its text.
#[derive(Debug, Clone, Serialize)]
pub struct TokenCreated {
    status: &'static str,
    /// The text, told once.
    pub token: String,
    #[serde(flatten)]
    listed: ListedToken,
}

/// All tokens.
#[derive(Debug, Clone, Serialize)]
pub struct TokenList {
    status: &'static str,
    /// The tokens, oldest first.
    pub tokens: Vec<ListedToken>,
}

/// A token that is worth nothing any more.
#[derive(Debug, Clone, Serialize)]
pub struct TokenRevoked {
    status: &'static str,
    /// The same in words.
    pub message: String,
}

impl Exported {
    /// This backup went into this file, which has so many bytes: `in_words` for people.
    #[must_use]
    pub fn new(backup_id: BackupId, file: String, size: u64, in_words: &str) -> Self {
        let message = format!("Backup {backup_id} exported to {file} ({in_words})");
        Self { status: SUCCESS, message, backup_id, file, size }
    }
}

impl ExportedFolder {
    /// This backup, or `live`, went into these files of a folder, which have so many bytes: `in_words` for
    /// people.
    #[must_use]
    pub fn new(
        source: String,
        folder: String,
        files: Vec<String>,
        size: u64,
        in_words: &str,
    ) -> Self {
        let what = if source == "live" { "The live database" } else { "Backup" };
        let named = if source == "live" { String::new() } else { format!(" {source}") };
        let message =
            format!("{what}{named} exported to {folder}: {} files ({in_words})", files.len());
        Self { status: SUCCESS, message, source, folder, files, size }
    }
}

impl ListedToken {
    fn new(token: &Token, now: DateTime<Utc>) -> Self {
        Self {
            name: token.name.clone(),
            role: token.role,
            author: token.author.clone().unwrap_or_else(|| token.name.clone()),
            created_at: token.created_at,
            expires_at: token.expires_at,
            expired: token.is_expired(now),
        }
    }
}

impl TokenCreated {
    /// This token was created.
    #[must_use]
    pub fn new(token: &Token, secret: &Secret, now: DateTime<Utc>) -> Self {
        let listed = ListedToken::new(token, now);
        Self { status: SUCCESS, token: secret.reveal().to_owned(), listed }
    }
}

impl TokenList {
    /// These tokens, at this time.
    #[must_use]
    pub fn new(tokens: &[Token], now: DateTime<Utc>) -> Self {
        let tokens = tokens.iter().map(|token| ListedToken::new(token, now)).collect();
        Self { status: SUCCESS, tokens }
    }
}

impl TokenRevoked {
    /// The token of this name was revoked.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { status: SUCCESS, message: format!("Token {name} revoked") }
    }
}

/// What the place of a store can do.
#[derive(Debug, Serialize)]
pub struct StoreCheck {
    status: &'static str,
    place: String,
    /// The server and the bucket; none for a folder.
    server: Option<String>,
    is_store: bool,
    /// Whether nothing is missing.
    complete: bool,
    abilities: Vec<Ability>,
}

/// One thing that an object store or a folder should do.
#[derive(Debug, Serialize)]
struct Ability {
    name: &'static str,
    ok: bool,
    detail: String,
    guarantee: &'static str,
}

impl From<Checked> for StoreCheck {
    fn from(checked: Checked) -> Self {
        let complete = checked.is_complete();
        let Checked { place, server, is_store, findings } = checked;
        let ability = |finding| {
            let Finding { ability: name, ok, detail, guarantee } = finding;
            Ability { name, ok, detail, guarantee }
        };
        let abilities = findings.into_iter().map(ability).collect();
        Self { status: SUCCESS, place, server, is_store, complete, abilities }
    }
}
