//! `postgres://user:password@host:port,…/database?option=value&…`, by the grammar of libpq.

use super::{AddressError, Options};

const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

pub fn is_uri(text: &str) -> bool {
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
}

pub fn parse(text: &str) -> Result<Options, AddressError> {
    let rest = SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let mut options = Options::new();
    let mut set = |name: &str, value: &str| {
        let value = decoded(value)?;
        // libpq takes an empty user, host or database for none.
        if !value.is_empty() {
            options.insert(name.to_owned(), value);
        }
        Ok(())
    };
    let rest = match rest.find(['@', '/']) {
        Some(end) if rest[end..].starts_with('@') => {
            let (user, password) = rest[..end].split_once(':').unwrap_or((&rest[..end], ""));
            set("user", user)?;
            set("password", password)?;
            &rest[end + 1..]
        }
        _ => rest,
    };
    // What is left over of a password with such characters must not be taken for an option and named.
    if rest.contains('@') {
        return Err(AddressError::new(
            "it has more than one \"@\": write `@`, `/`, `?`, `#` and `%` in a user, password or option \
             as %40, %2F, %3F, %23 and %25",
        ));
    }
    let (places, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (places, database) = places.split_once('/').unwrap_or((places, ""));
    set("dbname", database)?;
    let (hosts, ports) = hosts(places)?;
    set("host", &hosts)?;
    set("port", &ports)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(AddressError::new("it has an option without \"=\" and a value"));
        };
        match (decoded(name)?.as_str(), value) {
            // As JDBC writes it.
            ("ssl", "true") => options.insert("sslmode".into(), "require".into()),
            (name, value) => options.insert(name.to_owned(), decoded(value)?),
        };
    }
    Ok(options)
}

/// The hosts and the ports, each separated by commas; no ports where none is given.
fn hosts(places: &str) -> Result<(String, String), AddressError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for place in places.split(',') {
        let (host, port) = if let Some(rest) = place.strip_prefix('[') {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| AddressError::new("it has an IPv6 address without \"]\""))?;
            (host, rest.strip_prefix(':').unwrap_or(rest))
        } else {
            place.split_once(':').unwrap_or((place, ""))
        };
        hosts.push(host);
        ports.push(port);
    }
    let ports =
        if ports.iter().all(|port| port.is_empty()) { String::new() } else { ports.join(",") };
    Ok((hosts.join(","), ports))
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let malformed = || AddressError::new("it has a \"%\" that no two hexadecimal digits follow");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = rest.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(value.filter(|value| *value != 0).ok_or_else(malformed)?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| AddressError::new("it has text that is not UTF-8"))
}
