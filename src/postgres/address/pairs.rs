//! `host=… dbname=… password='…'`, by the grammar of libpq.

use std::iter::Peekable;
use std::str::Chars;

use super::{AddressError, Options};

pub fn parse(text: &str) -> Result<Options, AddressError> {
    let malformed = || {
        AddressError::new(
            "it does not read as host=… dbname=…: a value that is empty or has spaces stands between \
             single quotes, and \\ before ' and \\",
        )
    };
    let mut options = Options::new();
    let mut rest = text.chars().peekable();
    loop {
        skip_spaces(&mut rest);
        if rest.peek().is_none() {
            return Ok(options);
        }
        let mut name = String::new();
        while let Some(next) = rest.next_if(|next| *next != '=' && !next.is_whitespace()) {
            name.push(next);
        }
        skip_spaces(&mut rest);
        if rest.next() != Some('=') || name.is_empty() {
            return Err(malformed());
        }
        skip_spaces(&mut rest);
        let value = value(&mut rest).ok_or_else(malformed)?;
        // The rest of a password with a space is not to be named as an option.
        let after_password = options.contains_key("password") && !super::options::is_known(&name);
        if after_password {
            return Err(AddressError::new(
                "it has an option after its password that is not known; a password with spaces stands \
                 between single quotes",
            ));
        }
        options.insert(name, value);
    }
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| next.is_whitespace()).is_some() {}
}

/// A value with or without quotes; `None` if its quote does not end.
fn value(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let quoted = rest.next_if_eq(&'\'').is_some();
    let mut value = String::new();
    loop {
        match rest.next() {
            None => return (!quoted).then_some(value),
            Some('\'') if quoted => return Some(value),
            Some(space) if !quoted && space.is_whitespace() => return Some(value),
            Some('\\') => value.extend(rest.next()),
            Some(next) => value.push(next),
        }
    }
}
