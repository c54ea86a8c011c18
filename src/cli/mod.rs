//! The terminal's face of the engine: one file a command.

mod annotate;
mod backup;
mod cleanup;
mod context;
mod copy;
mod delete;
mod demo;
mod details;
mod diff;
mod embedded;
mod error;
mod exit;
mod export;
mod health;
mod history;
mod import;
mod interval;
mod keep_rules;
mod list;
mod log;
mod notify;
mod notify_options;
mod output;
mod output_file;
mod progress;
mod prompt;
mod restore;
mod serve;
mod serve_options;
mod state;
mod stats;
mod store;
mod token;
mod verify;
mod watch;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use tokio::runtime::Builder;

pub use exit::explain;

use context::Context;
use error::CliError;

use crate::engine::{DEFAULT_MAX_ROW, MAX_ROW};
use crate::store::released;
use crate::threads;

/// Row-level backup, diff and restore for an IPAM database in PostgreSQL.
///
/// Every backup is complete and stores only changed data. A restore makes the live rows identical to
/// a backup. It runs in one transaction, verifies the result before committing, and saves the
/// previous state as a backup, so that it can be undone.
#[derive(Debug, Parser)]
#[command(name = "ipam-rewind", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = exit::HELP)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    global: Global,
}

/// Where the store is unless something else is said.
const DEFAULT_STORE: &str = "/app/backups";

/// Options of every command.
#[derive(Debug, Clone, Args)]
struct Global {
    /// Database, as postgres://user@host/database. Visible in the process list; pass passwords
    /// through DATABASE_URL or --database-url-file
    #[arg(long, env = "DATABASE_URL", global = true, hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// File that contains the database URL
    #[arg(long, global = true, value_name = "FILE")]
    database_url_file: Option<PathBuf>,
    /// Store: a folder, or s3://bucket/prefix; docs/s3.md lists the parameters of a bucket
    #[arg(long, env = "BACKUP_STORE", global = true, hide_env_values = true)]
    #[arg(default_value = DEFAULT_STORE, value_name = "PLACE")]
    store: String,
    /// Folder for temporary files [default: TMPDIR, or /tmp]
    #[arg(long, global = true, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Seconds to wait for a database lock that another session holds
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=86_400))]
    lock_timeout: u32,
    /// Seconds without any progress, beyond the lock timeout, after which work is given up. A statement
    /// that runs in the database counts as progress
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 600)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=604_800))]
    stall_timeout: u32,
    /// Largest row to read, in MiB of COPY text; takes several times as much memory
    #[arg(long, global = true, value_name = "MIB", default_value_t = DEFAULT_MAX_ROW >> 20)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(1..=MAX_ROW as u64 >> 20))]
    max_row_size: usize,
    /// Answer every question with yes
    #[arg(short, long, global = true)]
    yes: bool,
    /// Print one JSON document, as the API returns it
    #[arg(long, global = true)]
    json: bool,
    /// Log more to standard error; repeat for more detail
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print only results and errors
    #[arg(short, long, global = true)]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Backup(backup::Arguments),
    List(list::Arguments),
    Details(details::Arguments),
    Restore(restore::Arguments),
    Diff(diff::Arguments),
    History(history::Arguments),
    Verify(verify::Arguments),
    Export(export::Arguments),
    Import(import::Arguments),
    Copy(copy::Arguments),
    Annotate(annotate::Arguments),
    Delete(delete::Arguments),
    Cleanup(cleanup::Arguments),
    Stats(stats::Arguments),
    #[command(subcommand)]
    Store(store::Action),
    Health(health::Arguments),
    Notify(notify::Arguments),
    Serve(Box<serve::Arguments>),
    Watch(watch::Arguments),
    #[command(subcommand)]
    Token(token::Action),
    Demo(demo::Arguments),
}

/// Grace period for blocking threads on shutdown. A thread that is blocked reading standard input
/// never finishes.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Runs one verb and says how it ended.
pub fn run(cli: Cli) -> ExitCode {
    if let Some(folder) = &cli.global.scratch {
        // Nothing has asked for it before.
        let _ = tempfile::env::override_temp_dir(folder);
    }
    // The program's own thread copies what a restore reads and writes.
    let _haste = matches!(cli.verb, Verb::Restore(_)).then(threads::Haste::begin);
    let mut runtime = if cli.verb.answers_others() {
        Builder::new_multi_thread()
    } else {
        threads::give_way_as_a_whole();
        // The thread that waits for the database also reads what it sends, in pieces of 8 KiB. Were
        // these two threads, they would wake each other at each piece: a tenth of a backup.
        Builder::new_current_thread()
    };
    let runtime = runtime.enable_all().build();
    let runtime = runtime.expect("the system gives a program its first threads");
    let code = runtime.block_on(async move {
        log_to_standard_error(&cli);
        let context = Context::new(cli.global);
        let done = Box::pin(cli.verb.run(&context)).await;
        // After an error or an interruption locks are given back in the background.
        released(LAST_WORDS).await;
        exit::conclude(&context, done)
    });
    runtime.shutdown_timeout(LAST_WORDS);
    code
}

impl Verb {
    /// Whether it answers others for as long as it runs.
    fn answers_others(&self) -> bool {
        matches!(self, Self::Serve(_) | Self::Demo(_))
    }

    async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Backup(arguments) => arguments.run(context).await,
            Self::List(arguments) => arguments.run(context).await,
            Self::Details(arguments) => arguments.run(context).await,
            Self::Restore(arguments) => Box::pin(arguments.run(context)).await,
            Self::Diff(arguments) => arguments.run(context).await,
            Self::History(arguments) => arguments.run(context).await,
            Self::Verify(arguments) => arguments.run(context).await,
            Self::Export(arguments) => arguments.run(context).await,
            Self::Import(arguments) => arguments.run(context).await,
            Self::Copy(arguments) => arguments.run(context).await,
            Self::Annotate(arguments) => arguments.run(context).await,
            Self::Delete(arguments) => arguments.run(context).await,
            Self::Cleanup(arguments) => arguments.run(context).await,
            Self::Stats(arguments) => arguments.run(context).await,
            Self::Store(action) => action.run(context).await,
            Self::Health(arguments) => arguments.run(context).await,
            Self::Notify(arguments) => arguments.run(context).await,
            Self::Serve(arguments) => arguments.run(context).await,
            Self::Watch(arguments) => arguments.run(context).await,
            Self::Token(action) => action.run(context),
            Self::Demo(arguments) => arguments.run(context).await,
        }
    }
}

fn log_to_standard_error(cli: &Cli) {
    let serves = matches!(cli.verb, Verb::Serve(_));
    let level = match cli.global.verbose {
        0 if serves && !cli.global.quiet => "ipam_rewind=info",
        0 => "ipam_rewind=warn",
        1 => "ipam_rewind=debug",
        _ => "ipam_rewind=trace,sqlx=debug,tower_http=debug",
    };
    let format = match &cli.verb {
        Verb::Serve(serve) => serve.log_format,
        _ => serve::LogFormat::Text,
    };
    log::to_standard_error(level, format);
}
