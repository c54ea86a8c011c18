//! `token`

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::output::table;
use super::state::StateOption;
use crate::api::body::{TokenCreated, TokenList, TokenRevoked};
use crate::model::Age;
use crate::service::Role;
use crate::service::access::{NewToken, Tokens};

/// Create, list and revoke access tokens for `serve`
///
/// A running service applies changes at once. Only hashes are stored: a token is printed once, when
/// it is created.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Create a token and print it
    Create {
        /// Name of the holder, for the audit log and the author of backups
        name: String,
        /// Author of backups that are made with this token [default: its name]
        #[arg(long, value_name = "NAME", conflicts_with = "proxy")]
        author: Option<String>,
        /// The token is of a proxy through which many people call: the author of their backups is `system`
        #[arg(long)]
        proxy: bool,
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

impl Action {
    /// Runs the command.
    pub fn run(self, context: &Context) -> Result<(), CliError> {
        let now = Utc::now();
        match self {
            Self::Create { name, author, proxy, role, expires, state } => {
                let tokens = Tokens::made_in(&state.folder(context.store()))?;
                let author = if proxy { Some("system") } else { author.as_deref() };
                let new = NewToken { name: &name, role, author, expires };
                let (token, secret) = tokens.create_with(&new, now)?;
                let created = TokenCreated::new(&token, &secret, now);
                context.print::<TokenCreated, _>(&created, |created| created.token.clone());
                context.say("Keep it in a safe place: it cannot be shown again.");
            }
            Self::List { state } => {
                let tokens = Tokens::in_folder(&state.folder(context.store())).all()?;
                context.print::<TokenList, _>(&TokenList::new(&tokens, now), text);
            }
            Self::Revoke { name, state } => {
                Tokens::in_folder(&state.folder(context.store())).revoke(&name)?;
                let revoked = TokenRevoked::new(&name);
                context.print::<TokenRevoked, _>(&revoked, |done| done.message.clone());
            }
        }
        Ok(())
    }
}

fn text(list: &TokenList) -> String {
    let mut tokens = table(&["Token", "Role", "Author", "Created (UTC)", "Expires (UTC)"]);
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
            token.author.clone(),
            time(token.created_at),
            expires,
        ]);
    }
    tokens.to_string()
}
