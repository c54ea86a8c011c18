//! `sslmode` and its files, as libpq reads them.

use std::path::PathBuf;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::{AddressError, Options, no_value};

/// How a host is tried, by its `sslmode`: the second only if the server does not let the first in.
pub fn attempts(
    options: PgConnectOptions,
    given: &Options,
    is_socket: bool,
) -> Result<Vec<PgConnectOptions>, AddressError> {
    let from_system = given.get("sslrootcert").is_some_and(|path| path == "system");
    let default = if from_system { "verify-full" } else { "prefer" };
    let mode = given.get("sslmode").map_or(default, String::as_str);
    if from_system && mode != "verify-full" {
        return Err(AddressError::new("sslrootcert=system needs sslmode=verify-full"));
    }
    let root = file(given, "sslrootcert", "root.crt")?.filter(|_| !from_system);
    let modes: &[PgSslMode] = match mode {
        // Nothing is encrypted over a socket.
        _ if is_socket => &[PgSslMode::Disable],
        "disable" => &[PgSslMode::Disable],
        "allow" => &[PgSslMode::Disable, PgSslMode::Require],
        "prefer" => &[PgSslMode::Prefer, PgSslMode::Disable],
        // With a root certificate it is verified, for compatibility.
        "require" if root.is_some() => &[PgSslMode::VerifyCa],
        "require" => &[PgSslMode::Require],
        "verify-ca" => &[PgSslMode::VerifyCa],
        "verify-full" => &[PgSslMode::VerifyFull],
        _ => return Err(no_value("sslmode")),
    };
    let mut options = options;
    if let Some(root) = root {
        options = options.ssl_root_cert(root);
    }
    let certificate = file(given, "sslcert", "postgresql.crt")?;
    if let Some((certificate, key)) = certificate.zip(file(given, "sslkey", "postgresql.key")?) {
        options = options.ssl_client_cert(certificate).ssl_client_key(key);
    }
    Ok(modes.iter().map(|mode| options.clone().ssl_mode(*mode)).collect())
}

/// The file that is given, or the one in `~/.postgresql` if it is there.
fn file(given: &Options, option: &str, default: &str) -> Result<Option<PathBuf>, AddressError> {
    if let Some(path) = given.get(option).filter(|path| !path.is_empty()) {
        if path == "system" && option == "sslrootcert" {
            return Ok(Some(path.into()));
        }
        let path = PathBuf::from(path);
        if std::fs::File::open(&path).is_err() {
            let text = format!("the file of its option {option:?} cannot be read");
            return Err(AddressError::new(text));
        }
        return Ok(Some(path));
    }
    let folder = std::env::home_dir().map(|home| home.join(".postgresql"));
    Ok(folder.map(|folder| folder.join(default)).filter(|path| path.is_file()))
}
