//! Parameters of the server in a store's address, behind a question mark:
//! `s3://bucket/prefix?endpoint=https://s3.example&addressing=virtual`.

use std::str::FromStr;
use std::time::Duration;

/// The longest time that requests may be sent again: less than a lease is valid.
const MAX_RETRY: u64 = 90;

/// Place of the bucket's name in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// `https://server/bucket/key`.
    Path,
    /// `https://bucket.server/key`.
    Virtual,
}

/// Settings of the connection to a server. `AWS_*` variables supply those that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Options {
    /// The server's address.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub addressing: Option<Addressing>,
    /// Time limit of a connection; 5 s by default.
    pub connect_timeout: Option<Duration>,
    /// Time limit of a request, its answer included; 30 s by default.
    pub timeout: Option<Duration>,
    /// Time for which a request is sent again.
    pub retry: Duration,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            addressing: None,
            connect_timeout: None,
            timeout: None,
            // What is sent again after this could arrive when its sender has lost its lease.
            retry: Duration::from_mins(1),
        }
    }
}

impl FromStr for S3Options {
    /// The fault.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            options.set(name, value)?;
        }
        Ok(options)
    }
}

impl S3Options {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "endpoint" => self.endpoint = Some(address(value)?),
            "region" if !value.is_empty() => self.region = Some(value.to_owned()),
            "addressing" => {
                self.addressing = Some(match value {
                    "path" => Addressing::Path,
                    "virtual" => Addressing::Virtual,
                    _ => return Err(format!("addressing is path or virtual, not {value:?}")),
                });
            }
            "connect-timeout" => self.connect_timeout = Some(seconds(name, value, 1, 300)?),
            "timeout" => self.timeout = Some(seconds(name, value, 1, 3600)?),
            "retry" => self.retry = seconds(name, value, 0, MAX_RETRY)?,
            _ => {
                return Err(format!(
                    "unknown parameter {name:?}; known are endpoint, region, addressing, \
                     connect-timeout, timeout and retry"
                ));
            }
        }
        Ok(())
    }
}

fn seconds(name: &str, value: &str, least: u64, most: u64) -> Result<Duration, String> {
    let number = value.parse().ok().filter(|number| (least..=most).contains(number));
    let number =
        number.ok_or_else(|| format!("{name} is {least} to {most} seconds, not {value:?}"))?;
    Ok(Duration::from_secs(number))
}

/// A user part would be a secret in the wrong place.
fn address(value: &str) -> Result<String, String> {
    let host = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains('@') => {
            Ok(value.trim_end_matches('/').to_owned())
        }
        _ => Err("endpoint is an address as https://s3.example, without a user".into()),
    }
}

/// The address of a server with the bucket in its name.
pub fn with_bucket(endpoint: &str, bucket: &str) -> String {
    let (scheme, host) = endpoint.split_once("://").unwrap_or(("https", endpoint));
    let host = host.trim_end_matches('/');
    if host.starts_with(&format!("{bucket}.")) {
        return format!("{scheme}://{host}");
    }
    format!("{scheme}://{bucket}.{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_wrong_ones_refused_by_name() {
        let parse = |text: &str| text.parse::<S3Options>();
        assert_eq!(parse("").expect("nothing"), S3Options::default());
        let all = parse("endpoint=http://a:9/&region=x&addressing=virtual&timeout=7&retry=0");
        let all = all.expect("read");
        assert_eq!(all.endpoint.as_deref(), Some("http://a:9"));
        assert_eq!((all.addressing, all.retry), (Some(Addressing::Virtual), Duration::ZERO));
        for (wrong, why) in [
            ("retry=91", "retry is 0 to 90 seconds"),
            ("timeout=", "timeout is 1 to 3600"),
            ("addressing=both", "path or virtual"),
            ("endpoint=s3.example", "endpoint is an address"),
            ("endpoint=https://key:secret@s3.example", "without a user"),
            ("regoin=x", "unknown parameter \"regoin\""),
        ] {
            let error = parse(wrong).expect_err(wrong);
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }

    #[test]
    fn bucket_is_put_into_the_host_once() {
        assert_eq!(with_bucket("https://s3.example/", "b"), "https://b.s3.example");
        assert_eq!(with_bucket("https://b.s3.example", "b"), "https://b.s3.example");
    }
}
