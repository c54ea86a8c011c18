//! Where the service keeps what is not in the store; `serve` and `token` share this.

use std::path::{Path, PathBuf};

use clap::Args;

/// Where the state folder is.
#[derive(Debug, Clone, Args)]
pub struct StateOption {
    /// Folder for tokens, jobs and logs [default: STORE/service, or ~/.local/state/ipam-rewind if the
    /// store is not a folder]
    #[arg(long, env = "STATE_DIRECTORY", value_name = "DIR")]
    state: Option<PathBuf>,
}

impl StateOption {
    /// The folder, for this store.
    pub fn folder(&self, store: &str) -> PathBuf {
        self.state.clone().unwrap_or_else(|| default_state(store))
    }
}

/// `service` in the store's folder, else the place where programs keep their state.
fn default_state(store: &str) -> PathBuf {
    if !store.contains("://") {
        return Path::new(store).join("service");
    }
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/state"));
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home);
    state.unwrap_or_else(|| PathBuf::from(".")).join("ipam-rewind")
}
