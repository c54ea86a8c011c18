//! Passwords from a file of `host:port:database:user:password` lines, as libpq keeps them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// The password of the first line that is for this host, port, database and user.
pub fn password(file: Option<&str>, of: [&str; 4]) -> Option<String> {
    let default = || std::env::home_dir().map(|home| home.join(".pgpass"));
    let path = file.map(PathBuf::from).or_else(default)?;
    let metadata = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!("{} is not used: others may read it; make it 0600", path.display());
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    text.lines().find_map(|line| of_line(line, of))
}

fn of_line(line: &str, of: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let mut fields = vec![String::new()];
    let mut is_plain = true;
    let mut rest = line.chars();
    let mut pattern = vec![];
    while let Some(next) = rest.next() {
        match next {
            '\\' => {
                is_plain = false;
                fields.last_mut()?.extend(rest.next());
            }
            ':' if fields.len() <= of.len() => {
                pattern.push(is_plain && fields.last()? == "*");
                is_plain = true;
                fields.push(String::new());
            }
            other => fields.last_mut()?.push(other),
        }
    }
    let matches = |(place, wanted): (usize, &&str)| {
        // The folder of a socket that is the usual one is written as localhost.
        let is_socket = place == 0 && wanted.starts_with('/') && fields[0] == "localhost";
        pattern[place] || fields[place] == **wanted || is_socket
    };
    (pattern.len() == of.len() && of.iter().enumerate().all(matches)).then(|| fields.pop())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: [&str; 4] = ["db.example", "5432", "plan", "rewind"];

    #[test]
    fn line_with_wildcards_and_escapes_is_matched() {
        assert_eq!(of_line("*:*:*:rewind:a:b\\:c\\\\", OF).as_deref(), Some("a:b:c\\"));
        assert_eq!(of_line("db.example:5432:plan:rewind:x", OF).as_deref(), Some("x"));
        for other in
            ["", "#*:*:*:*:x", "db:5432:plan:rewind:x", "*:5433:*:*:x", "\\*:*:*:*:x", "*:*:*:*"]
        {
            assert_eq!(of_line(other, OF), None, "{other}");
        }
    }
}
