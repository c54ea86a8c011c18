//! Where the database is: a URL or a keyword/value string as libpq reads it, completed by the `PG*`
//! variables. What it means is as in libpq, or it is refused by name. `docs/database.md` has the table.

mod options;
mod pairs;
mod passfile;
mod tls;
mod uri;

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// Options by name.
type Options = BTreeMap<String, String>;

/// How long one host is tried, unless `connect_timeout` says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_mins(1);

/// What is wrong with an address. Its text never repeats a value, which may be a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

impl AddressError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// Where the database is.
#[derive(Debug, Clone)]
pub struct Address {
    /// The hosts, in the order in which they are tried.
    pub hosts: Vec<Host>,
    /// How long one of them is tried; `None` for ever.
    pub connect_timeout: Option<Duration>,
    /// What the server must be.
    pub target: Target,
}

#[derive(Debug, Clone)]
pub struct Host {
    /// Its name, for people.
    pub name: String,
    /// How it is tried: first with, then without encryption, or the other way round.
    pub attempts: Vec<PgConnectOptions>,
}

/// What the server must be: `target_session_attrs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Whatever answers.
    Any,
    /// One that takes writes.
    ReadWrite,
    /// One that takes none.
    ReadOnly,
    /// One that is not in recovery.
    Primary,
    /// One that is in recovery.
    Standby,
    /// One that is in recovery; if there is none, any.
    PreferStandby,
}

impl Target {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => return None,
        })
    }

    /// Whether a server will do that takes no writes, or is in recovery.
    pub fn is_met_by(self, read_only: bool, in_recovery: bool) -> bool {
        match self {
            Self::Any => true,
            Self::ReadWrite => !read_only,
            Self::ReadOnly => read_only,
            Self::Primary => !in_recovery,
            Self::Standby | Self::PreferStandby => in_recovery,
        }
    }
}

impl Address {
    /// Reads an address and the variables of this process.
    ///
    /// # Errors
    /// If it cannot be read, or has an option or a value that is not supported.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::parse_with(text, |name| std::env::var(name).ok())
    }

    fn parse_with(
        text: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, AddressError> {
        let mut given = if uri::is_uri(text) {
            uri::parse(text)?
        } else if text.contains('=') {
            pairs::parse(text)?
        } else {
            return Err(AddressError::new("it does not read as postgres://user@host/database"));
        };
        options::check(&given)?;
        options::complete(&mut given, variable)?;
        Self::of(&given)
    }

    fn of(given: &Options) -> Result<Self, AddressError> {
        let target = match given.get("target_session_attrs") {
            None => Target::Any,
            Some(name) => Target::named(name).ok_or_else(|| no_value("target_session_attrs"))?,
        };
        let connect_timeout = match given.get("connect_timeout") {
            None => Some(CONNECT_TIMEOUT),
            Some(text) => {
                let seconds: i32 = text.trim().parse().map_err(|_| no_value("connect_timeout"))?;
                u64::try_from(seconds).ok().filter(|it| *it > 0).map(Duration::from_secs)
            }
        };
        let hosts = hosts(given)?;
        let hosts = hosts.iter().map(|(name, port)| host(given, name.as_deref(), *port));
        Ok(Self { hosts: hosts.collect::<Result<_, _>>()?, connect_timeout, target })
    }
}

fn no_value(option: &str) -> AddressError {
    AddressError::new(format!("its option {option:?} has a value that is not supported"))
}

/// The hosts (the default one without a name) and their ports.
fn hosts(given: &Options) -> Result<Vec<(Option<String>, u16)>, AddressError> {
    let list = |name: &str| -> Vec<String> {
        let text = given.get(name).map_or("", String::as_str);
        text.split(',').map(str::to_owned).collect()
    };
    let (names, addresses) = (list("host"), list("hostaddr"));
    let has_addresses = given.contains_key("hostaddr");
    if has_addresses && given.contains_key("host") {
        if names.len() != addresses.len() {
            return Err(AddressError::new(
                "it has another number of \"hostaddr\" than of \"host\"",
            ));
        }
        if given.get("sslmode").is_some_and(|mode| mode == "verify-full") {
            return Err(AddressError::new(
                "its option \"hostaddr\" is not supported beside \"host\" with sslmode=verify-full",
            ));
        }
    }
    let hosts = if has_addresses { addresses } else { names };
    let ports = list("port");
    if ports.len() != 1 && ports.len() != hosts.len() {
        return Err(AddressError::new("it has another number of ports than of hosts"));
    }
    let hosts = hosts.into_iter().enumerate().map(|(place, host)| {
        let port = ports.get(place).or(ports.first()).map_or("", String::as_str).trim();
        let port = if port.is_empty() { Ok(5432) } else { port.parse() };
        let port = port.ok().filter(|port| *port > 0).ok_or_else(|| no_value("port"))?;
        Ok((Some(host).filter(|host| !host.is_empty()), port))
    });
    hosts.collect()
}

fn host(given: &Options, name: Option<&str>, port: u16) -> Result<Host, AddressError> {
    if name.is_some_and(|name| name.starts_with('@')) {
        return Err(AddressError::new("a socket in the abstract namespace is not supported"));
    }
    let mut options = PgConnectOptions::new_without_pgpass().port(port);
    options = match name {
        Some(folder) if folder.starts_with('/') => options.socket(folder),
        Some(name) => options.host(name),
        // The usual folders of the socket, or this machine.
        None => options,
    };
    let get = |name: &str| given.get(name).filter(|value| !value.is_empty());
    if let Some(user) = get("user") {
        options = options.username(user);
    }
    let database = get("dbname").cloned().unwrap_or_else(|| options.get_username().to_owned());
    options = options.database(&database);
    let shown = name.map_or_else(|| options.get_host().to_owned(), str::to_owned);
    if let Some(password) = get("password") {
        options = options.password(password);
    } else if let Some(password) = passfile::password(
        get("passfile").map(String::as_str),
        [&shown, &port.to_string(), &database, options.get_username()],
    ) {
        options = options.password(&password);
    }
    if let Some(text) = get("options") {
        options = options.options(options::startup(text)?);
    }
    let is_socket = shown.starts_with('/');
    Ok(Host { attempts: tls::attempts(options, given, is_socket)?, name: shown })
}

#[cfg(test)]
mod tests;
