//! Notification URLs: the scheme names the service and its transport, the rest what is needed to reach it.

use reqwest::Url;

use crate::service::notify::target::{
    Account, Authorization, Body, Channel, Security, Target, Wanted,
};

/// A text is no address that notices can go to. Never shows the text, which may hold a secret.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MalformedTarget {
    #[error("invalid webhook address; one looks like https://host/path")]
    Webhook,
    #[error("invalid notification URL: it has no scheme; {KNOWN}")]
    NoScheme,
    #[error("unknown scheme `{0}` of a notification URL; {KNOWN}")]
    Scheme(String),
    #[error("invalid notification URL with the scheme `{0}`: {1}")]
    Url(String, &'static str),
}

const KNOWN: &str = "known are https, slack+https, discord+https, teams+https, gotify+https, \
                     ntfy+https, smtp, smtps, and each with http instead of https";

impl Target {
    /// A plain address, which is sent such bodies; with a secret, they are signed.
    ///
    /// # Errors
    /// If it is no `http` or `https` URL.
    pub fn new(url: &str, secret: Option<String>, body: Body) -> Result<Self, MalformedTarget> {
        let parsed: Url = url.parse().map_err(|_| MalformedTarget::Webhook)?;
        if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
            return Err(MalformedTarget::Webhook);
        }
        let secret = secret.filter(|secret| !secret.is_empty());
        let host = parsed.host_str().unwrap_or_default().to_owned();
        let channel = Channel::Json { url: parsed, secret, body };
        Ok(Self::of(channel, host, Wanted::Failure, url))
    }

    /// The target of a notification URL. A fragment `#events=all` (or `failure`, `success`) has precedence
    /// over what is wanted otherwise. Plain addresses are sent such bodies.
    ///
    /// # Errors
    /// If the scheme is unknown, or a part is missing.
    pub fn parse(
        text: &str,
        wanted: Wanted,
        secret: Option<String>,
        body: Body,
    ) -> Result<Self, MalformedTarget> {
        let (scheme, _) = text.split_once("://").ok_or(MalformedTarget::NoScheme)?;
        let scheme = scheme.to_ascii_lowercase();
        let wrong = |why| MalformedTarget::Url(scheme.clone(), why);
        let (service, transport) = scheme.split_once('+').unwrap_or(("", &scheme));
        if !matches!(
            (service, transport),
            ("", "http" | "https" | "smtp" | "smtps")
                | ("slack" | "discord" | "teams" | "gotify" | "ntfy", "http" | "https")
        ) {
            return Err(MalformedTarget::Scheme(visible_scheme(&scheme)));
        }
        let address = format!("{transport}{}", &text[scheme.len()..]);
        let mut url: Url = address.parse().map_err(|_| wrong("it cannot be parsed"))?;
        let wanted = match url.fragment().map(|fragment| fragment.strip_prefix("events=")) {
            None => wanted,
            Some(word) => word.and_then(Wanted::named).ok_or_else(|| {
                wrong("after # comes events=failure, events=success or events=all")
            })?,
        };
        url.set_fragment(None);
        let host = url.host_str().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| wrong("it has no host"))?.to_owned();
        let channel = match service {
            "slack" => Channel::Slack { url },
            "discord" => Channel::Discord { url },
            "teams" => Channel::Teams { url },
            "gotify" => gotify(url).ok_or_else(|| wrong("it needs ?token=…"))?,
            "ntfy" => ntfy(&url).ok_or_else(|| wrong("its path is one topic"))?,
            _ if transport.starts_with("smtp") => {
                Channel::Mail(Box::new(account(&url, &host).map_err(wrong)?))
            }
            _ => {
                let secret = secret.filter(|secret| !secret.is_empty());
                Channel::Json { url, secret, body }
            }
        };
        Ok(Self::of(channel, host, wanted, text))
    }
}

/// A scheme as it may be shown: whoever forgets it may have put a secret there.
fn visible_scheme(scheme: &str) -> String {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let fits = scheme.len() <= 24 && scheme.chars().all(letters);
    if fits { scheme.to_owned() } else { "…".to_owned() }
}

fn query(url: &Url, name: &str) -> Option<String> {
    let mut found = url.query_pairs().filter(|(key, _)| key == name);
    found.next().map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
}

/// The user and the password of a URL, decoded.
fn login(url: &Url) -> Option<(String, String)> {
    let decoded = |part: &str| {
        let pair = format!("x={}", part.replace('+', "%2B"));
        let base = Url::parse(&format!("http://h/?{pair}")).ok()?;
        query(&base, "x").or_else(|| Some(String::new()))
    };
    let user = decoded(url.username()).filter(|user| !user.is_empty())?;
    Some((user, decoded(url.password().unwrap_or_default())?))
}

fn gotify(mut url: Url) -> Option<Channel> {
    let token = query(&url, "token")?;
    url.set_query(None);
    let path = format!("{}/message", url.path().trim_end_matches('/'));
    url.set_path(&path);
    Some(Channel::Gotify { url, token })
}

fn ntfy(url: &Url) -> Option<Channel> {
    let (folder, topic) = url.path().trim_end_matches('/').rsplit_once('/')?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if topic.is_empty() || topic.len() > 64 || !topic.chars().all(allowed) {
        return None;
    }
    let token = query(url, "token").map(Authorization::Token);
    let password = || login(url).map(|(user, password)| Authorization::Password { user, password });
    let authorization = token.or_else(password);
    let (folder, topic) = (format!("{folder}/"), topic.to_owned());
    let mut url = url.clone();
    url.set_path(&folder);
    url.set_query(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Some(Channel::Ntfy { url, topic, authorization })
}

fn account(url: &Url, host: &str) -> Result<Account, &'static str> {
    let security = match (url.scheme(), query(url, "tls").as_deref()) {
        ("smtps", None) => Security::Wrapped,
        ("smtp", None | Some("starttls")) => Security::StartTls,
        ("smtp", Some("none")) => Security::None,
        _ => return Err("tls is starttls or none, and only with smtp"),
    };
    let port = match security {
        Security::Wrapped => 465,
        Security::StartTls => 587,
        Security::None => 25,
    };
    let login = login(url);
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    if login.is_some() && security == Security::None && !here {
        return Err("a password is not sent without encryption");
    }
    let from = query(url, "from").ok_or("it needs ?from=…&to=…")?;
    let to = query(url, "to").ok_or("it needs ?from=…&to=…")?;
    let mailbox = |text: &str| text.trim().parse().map_err(|_| "from or to is no mail address");
    Ok(Account {
        host: host.trim_matches(['[', ']']).to_owned(),
        port: url.port().unwrap_or(port),
        security,
        login,
        from: mailbox(&from)?,
        to: to.split(',').map(mailbox).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::notify::notice::Notice;

    fn no_body(_: &Notice) -> Vec<u8> {
        Vec::new()
    }

    fn parse(text: &str) -> Result<Target, MalformedTarget> {
        Target::parse(text, Wanted::Failure, None, no_body)
    }

    #[test]
    fn webhook_is_http_and_its_path_is_not_shown() {
        let target =
            Target::new("https://hooks.example/T0/secret", None, no_body).expect("an address");
        assert_eq!(format!("{target:?}"), "Target(json hooks.example)");
        for wrong in ["", "hooks.example", "file:///etc/passwd", "ftp://host/"] {
            assert!(Target::new(wrong, None, no_body).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn scheme_names_format_and_only_the_host_is_shown() {
        let secret = "hunter2";
        for (url, shown) in [
            ("https://noc.example/hunter2", "json noc.example"),
            ("SLACK+https://hooks.slack.com/services/T/B/hunter2", "slack hooks.slack.com"),
            ("discord+https://discord.com/api/webhooks/1/hunter2", "discord discord.com"),
            ("teams+https://x.logic.azure.com/w?sig=hunter2", "teams x.logic.azure.com"),
            ("gotify+http://push.example:81/g/?token=hunter2", "gotify push.example"),
            ("ntfy+https://me:hunter2@ntfy.sh/alerts", "ntfy ntfy.sh"),
            ("ntfy+https://ntfy.sh/alerts?token=hunter2", "ntfy ntfy.sh"),
            ("smtps://me%40x:hunter2@mail.example?from=a@b.c&to=d@e.f", "email mail.example"),
        ] {
            let target = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let debug = format!("{target:?}");
            assert_eq!(debug, format!("Target({shown})"));
            assert!(!debug.contains(secret) && !target.fingerprint.contains(secret));
        }
    }

    #[test]
    fn malformed_url_is_refused_without_its_secret() {
        for url in [
            "hunter2",
            "pager+https://hunter2@host/",
            "hunter2-hunter2-hunter2-hunter2://x",
            "https://hunter2:@:x",
            "slack+ftp://host/hunter2",
            "gotify+https://host/hunter2",
            "ntfy+https://ntfy.sh/?token=hunter2",
            "ntfy+https://ntfy.sh/a.b?token=hunter2",
            "https://host/hunter2#hunter2",
            "smtp://me:hunter2@mail.example?from=a@b.c",
            "smtp://me:hunter2@mail.example?from=a@b.c&to=nobody",
            "smtp://me:hunter2@mail.example?from=a@b.c&to=d@e.f&tls=none",
            "smtps://me:hunter2@mail.example?from=a@b.c&to=d@e.f&tls=none",
            "smtp+https://me:hunter2@mail.example?from=a@b.c&to=d@e.f",
            "smtp://a:hunter2@m?from=a@b.c%0d%0aBcc: x@y.z&to=d@e.f",
        ] {
            let error = parse(url).map(|target| format!("{target:?}")).expect_err(url);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let error = parse("pager+https://host/").expect_err("unknown").to_string();
        assert!(error.contains("pager+https") && error.contains("discord+https"), "{error}");
    }

    #[test]
    fn parts_of_an_address_are_decoded_and_have_defaults() {
        let target =
            parse("smtp://me%40x.y:p%3Aw+d@mail.example?from=Rewind <a@b.c>&to=d@e.f,g@h.i")
                .expect("an address");
        let Channel::Mail(account) = target.channel else { panic!("no mail") };
        assert_eq!((account.port, account.security), (587, Security::StartTls));
        assert_eq!(account.login, Some(("me@x.y".into(), "p:w+d".into())));
        assert_eq!(account.to.len(), 2);
        let target = parse("gotify+https://host/sub/?token=T").expect("an address");
        let Channel::Gotify { url, token } = target.channel else { panic!("no gotify") };
        assert_eq!((url.as_str(), token.as_str()), ("https://host/sub/message", "T"));
        let target = parse("ntfy+https://u:p@host/sub/topic").expect("an address");
        let Channel::Ntfy { url, topic, .. } = target.channel else { panic!("no ntfy") };
        assert_eq!((url.as_str(), topic.as_str()), ("https://host/sub/", "topic"));
    }

    #[test]
    fn fragment_says_which_events_are_wanted_and_is_not_sent() {
        let target = parse("https://host/x?events=mine#events=all").expect("an address");
        assert_eq!(target.wanted, Wanted::All);
        let Channel::Json { url, .. } = target.channel else { panic!("no JSON") };
        assert_eq!(url.as_str(), "https://host/x?events=mine");
    }
}
