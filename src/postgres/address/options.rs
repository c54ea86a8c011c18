//! Which options of libpq are supported, and the variables that complete them.

use super::{AddressError, Options, no_value};

/// What may be given for an option.
enum Use {
    /// Whatever libpq takes.
    Any,
    /// These values, which ask for nothing that is not done anyway.
    Only(&'static [&'static str]),
    /// Nothing: the option is not supported.
    Never,
}

/// Each option of libpq, its variable, and what may be given.
#[rustfmt::skip]
const OPTIONS: &[(&str, &str, Use)] = &[
    ("host", "PGHOST", Use::Any),
    ("hostaddr", "PGHOSTADDR", Use::Any),
    ("port", "PGPORT", Use::Any),
    ("dbname", "PGDATABASE", Use::Any),
    ("user", "PGUSER", Use::Any),
    ("password", "PGPASSWORD", Use::Any),
    ("passfile", "PGPASSFILE", Use::Any),
    ("connect_timeout", "PGCONNECT_TIMEOUT", Use::Any),
    ("target_session_attrs", "PGTARGETSESSIONATTRS", Use::Any),
    ("options", "PGOPTIONS", Use::Any),
    ("sslmode", "PGSSLMODE", Use::Any),
    ("sslrootcert", "PGSSLROOTCERT", Use::Any),
    ("sslcert", "PGSSLCERT", Use::Any),
    ("sslkey", "PGSSLKEY", Use::Any),
    // Sessions are named ipam-rewind, so that they are found.
    ("application_name", "PGAPPNAME", Use::Any),
    ("fallback_application_name", "", Use::Any),
    ("client_encoding", "", Use::Only(&["UTF8", "utf8", "UTF-8", "utf-8", "auto"])),
    ("channel_binding", "PGCHANNELBINDING", Use::Only(&["disable", "prefer"])),
    ("gssencmode", "PGGSSENCMODE", Use::Only(&["disable", "prefer"])),
    ("load_balance_hosts", "PGLOADBALANCEHOSTS", Use::Only(&["disable"])),
    ("replication", "", Use::Only(&["false", "off", "no", "0"])),
    ("sslcertmode", "PGSSLCERTMODE", Use::Only(&["allow"])),
    ("sslcompression", "PGSSLCOMPRESSION", Use::Only(&["0"])),
    ("sslnegotiation", "PGSSLNEGOTIATION", Use::Only(&["postgres"])),
    ("sslsni", "PGSSLSNI", Use::Only(&["1"])),
    ("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION", Use::Only(&["TLSv1", "TLSv1.1", "TLSv1.2"])),
    ("ssl_max_protocol_version", "PGSSLMAXPROTOCOLVERSION", Use::Only(&["TLSv1.3"])),
    ("gssdelegation", "PGGSSDELEGATION", Use::Only(&["0"])),
    ("gsslib", "PGGSSLIB", Use::Never),
    ("keepalives", "", Use::Never),
    ("keepalives_count", "", Use::Never),
    ("keepalives_idle", "", Use::Never),
    ("keepalives_interval", "", Use::Never),
    ("krbsrvname", "PGKRBSRVNAME", Use::Never),
    ("max_protocol_version", "PGMAXPROTOCOLVERSION", Use::Never),
    ("min_protocol_version", "PGMINPROTOCOLVERSION", Use::Never),
    ("oauth_client_id", "", Use::Never),
    ("oauth_client_secret", "", Use::Never),
    ("oauth_issuer", "", Use::Never),
    ("oauth_scope", "", Use::Never),
    ("require_auth", "PGREQUIREAUTH", Use::Never),
    ("requirepeer", "PGREQUIREPEER", Use::Never),
    ("requiressl", "PGREQUIRESSL", Use::Never),
    ("scram_client_key", "", Use::Never),
    ("scram_server_key", "", Use::Never),
    ("service", "PGSERVICE", Use::Never),
    ("servicefile", "PGSERVICEFILE", Use::Never),
    ("sslcrl", "PGSSLCRL", Use::Never),
    ("sslcrldir", "PGSSLCRLDIR", Use::Never),
    ("sslkeylogfile", "", Use::Never),
    ("sslpassword", "", Use::Never),
    ("tcp_user_timeout", "", Use::Never),
];

impl Use {
    fn allows(&self, value: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Only(values) => values.contains(&value),
            Self::Never => false,
        }
    }
}

/// Whether libpq has such an option.
pub fn is_known(name: &str) -> bool {
    OPTIONS.iter().any(|(known, ..)| *known == name)
}

/// Refuses options and values that are not supported.
pub fn check(given: &Options) -> Result<(), AddressError> {
    for (name, value) in given {
        match OPTIONS.iter().find(|(known, ..)| known == name) {
            None => {
                let name: String = name.chars().take(40).collect();
                return Err(AddressError::new(format!(
                    "it has an option {name:?} that is not known"
                )));
            }
            Some((_, _, Use::Never)) => {
                return Err(AddressError::new(format!("its option {name:?} is not supported")));
            }
            Some((_, _, usable)) if !usable.allows(value) => return Err(no_value(name)),
            Some(_) => {}
        }
    }
    Ok(())
}

/// Adds what the variables say of options that are not given.
pub fn complete(
    given: &mut Options,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(), AddressError> {
    for (name, from, usable) in OPTIONS.iter().filter(|(_, from, _)| !from.is_empty()) {
        let Some(value) = variable(from).filter(|value| !value.is_empty()) else {
            continue;
        };
        // The one is not to reach the server beside the other.
        if *name == "options" && given.get(*name).is_some_and(|given| *given != value) {
            return Err(AddressError::new(
                "it has \"options\", and the variable PGOPTIONS has others",
            ));
        }
        if given.contains_key(*name) || (*name == "hostaddr" && given.contains_key("host")) {
            continue;
        }
        if !usable.allows(&value) {
            let text = format!("the variable {from} asks for what is not supported; unset it");
            return Err(AddressError::new(text));
        }
        given.insert((*name).to_owned(), value);
    }
    Ok(())
}

/// The settings of `options`: `-c name=value` or `--name=value`, with `\` before a space.
pub fn startup(text: &str) -> Result<Vec<(String, String)>, AddressError> {
    let unsupported = || {
        AddressError::new(
            "its option \"options\" is supported for `-c name=value` and `--name=value` only",
        )
    };
    let mut words = words(text).into_iter();
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c") {
            Some("") => words.next().ok_or_else(unsupported)?,
            Some(setting) => setting.to_owned(),
            None => word.strip_prefix("--").ok_or_else(unsupported)?.to_owned(),
        };
        let (name, value) = setting.split_once('=').ok_or_else(unsupported)?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = text.chars();
    while let Some(next) = rest.next() {
        match next {
            '\\' => word.extend(rest.next()),
            space if space.is_whitespace() => words.push(std::mem::take(&mut word)),
            other => word.push(other),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}
