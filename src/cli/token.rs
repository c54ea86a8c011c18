//! `token`

use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::context::Context;
use super::error::CliError;
use super::output::table;
use super::state::StateOption;
use crate::model::Age;
use crate::service::Role;
use crate::service::access::{Token, Tokens};

/// Create, list and revoke access tokens for `serve`
///
/// A running service applies changes at once. Only hashes are stored: a token is printed once, when
/// it is created.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create a token and print it
    Create {
        /// Name of the holder, for the audit log and the author of backups
        name: String,
        /// Role: viewer reads; operator also backs up, verifies and previews; admin also restores,
        /// deletes, cleans up and imports
        #[arg(long)]
        role: Role,
        /// Expire after this long (36h, 90d, 52w) [default: never]
        #[arg(long, value_name = "AGE")]
        expires: Option<Age>,
        #[command(flatten)]
        state: StateOption,
    },
    /// List tokens without their secrets
    List {
        #[command(flatten)]
        state: StateOption,
    },
    /// Revoke a token
    Revoke {
        /// Name of the holder
        name: String,
        #[command(flatten)]
        state: StateOption,
    },
}

/// A token without its text and its hash.
#[derive(Debug, Serialize)]
struct Listed {
    name: String,
    role: Role,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    expired: bool,
}

#[derive(Debug, Serialize)]
struct Created {
    status: &'static str,
    token: String,
    #[serde(flatten)]
    listed: Listed,
}

#[derive(Debug, Serialize)]
struct List {
    status: &'static str,
    tokens: Vec<Listed>,
}

#[derive(Debug, Serialize)]
struct Revoked {
    status: &'static str,
    message: String,
}

impl Listed {
    fn new(token: &Token, now: DateTime<Utc>) -> Self {
        Self {
            name: token.name.clone(),
            role: token.role,
            created_at: token.created_at,
            expires_at: token.expires_at,
            expired: token.is_expired(now),
        }
    }
}

impl Arguments {
    /// Runs the command.
    pub fn run(self, context: &Context) -> Result<(), CliError> {
        let now = Utc::now();
        match self.action {
            Action::Create { name, role, expires, state } => {
                let tokens = Tokens::made_in(&state.folder(context.store()))?;
                let (token, secret) = tokens.create(&name, role, expires, now)?;
                let listed = Listed::new(&token, now);
                let token = secret.reveal().to_owned();
                context.print(&Created { status: "success", token, listed }, |created| {
                    created.token.clone()
                });
                context.say("Keep it in a safe place: it cannot be shown again.");
            }
            Action::List { state } => {
                let tokens = Tokens::in_folder(&state.folder(context.store())).all()?;
                let tokens = tokens.iter().map(|token| Listed::new(token, now)).collect();
                context.print(&List { status: "success", tokens }, text);
            }
            Action::Revoke { name, state } => {
                Tokens::in_folder(&state.folder(context.store())).revoke(&name)?;
                let message = format!("Token {name} revoked");
                context.print(&Revoked { status: "success", message }, |done| done.message.clone());
            }
        }
        Ok(())
    }
}

fn text(list: &List) -> String {
    let mut tokens = table(&["Token", "Role", "Created (UTC)", "Expires (UTC)"]);
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    for token in &list.tokens {
        let expires = match (token.expires_at, token.expired) {
            (None, _) => "never".into(),
            (Some(end), false) => time(end),
            (Some(_), true) => "expired".into(),
        };
        tokens.add_row([
            token.name.clone(),
            token.role.to_string(),
            time(token.created_at),
            expires,
        ]);
    }
    tokens.to_string()
}
