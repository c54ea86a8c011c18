//! `store`

use clap::Subcommand;

use super::context::Context;
use super::error::CliError;
use super::output::plain;
use crate::api::body::StoreCheck;
use crate::engine::check_store;
use crate::store::Checked;

/// Examine the place of a store
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Print what the bucket or folder can do, and what that guarantees
    ///
    /// Works before there is a store, too. Writes a small object and removes it.
    Check {},
}

impl Action {
    /// Runs the command.
    pub async fn run(self, context: &Context) -> Result<(), CliError> {
        let Self::Check {} = self;
        let checked = check_store(context.store()).await?;
        context.print::<StoreCheck, _>(&checked, text);
        Ok(())
    }
}

fn text(checked: &Checked) -> String {
    let at = checked.server.as_ref().map_or_else(String::new, |server| format!(", at {server}"));
    let is_store = if checked.is_store { "a store" } else { "no store yet" };
    let mut text = format!("{}: {is_store}{at}", plain(&checked.place));
    for finding in &checked.findings {
        let mark = if finding.ok { "ok " } else { "NOT" };
        let name = finding.ability.replace('_', " ");
        text += &format!("\n{mark} {name}: {}\n    {}", plain(&finding.detail), finding.guarantee);
    }
    text
}
