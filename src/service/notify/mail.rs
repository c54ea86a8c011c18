//! Notices as mail, by SMTP.

use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message as Mail, Tokio1Executor};

use crate::service::notify::message::{Message, as_it_is, fit};
use crate::service::notify::notice::Notice;
use crate::service::notify::refusal::{ANSWER_WITHIN, Refusal, chain};
use crate::service::notify::target::{Account, Security};
use crate::tls;

/// Time limit of the whole conversation.
const CONVERSATION: Duration = Duration::from_secs(40);
const SUBJECT: usize = 200;
const TEXT: usize = 64 << 10;

/// Sends a notice once.
///
/// # Errors
/// If the server does not take it for all recipients.
pub async fn send(account: &Account, notice: &Notice) -> Result<(), Refusal> {
    let mail = mail(account, notice).map_err(|error| {
        let detail = chain(&error);
        Refusal { lasting: true, only_this: true, ..Refusal::passing("cannot be written", detail) }
    })?;
    let transport = transport(account, &notice.host).map_err(|error| refusal(&error))?;
    let sent = tokio::time::timeout(CONVERSATION, transport.send(mail)).await.map_err(|_| {
        let brief = format!("did not take a mail within {} s", CONVERSATION.as_secs());
        Refusal::passing(brief.clone(), brief)
    })?;
    sent.map(drop).map_err(|error| refusal(&error))
}

/// The mail. Its id is that of the notice, so that a second one is recognised.
fn mail(account: &Account, notice: &Notice) -> Result<Mail, lettre::error::Error> {
    let message = Message::from(notice);
    let mut mail = Mail::builder()
        .from(account.from.clone())
        .subject(fit(&message.title, SUBJECT, as_it_is))
        .date(notice.at.into())
        .message_id(Some(format!("<{}@{}>", notice.delivery_id, account.from.email.domain())))
        .header(ContentType::TEXT_PLAIN);
    for recipient in &account.to {
        mail = mail.to(recipient.clone());
    }
    let text = fit(&message.text, TEXT, as_it_is) + "\n";
    let mut mail = mail.body(text)?;
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Ipam-Rewind-Event", notice.event.name()),
        ("X-Ipam-Rewind-Severity", message.severity.name()),
    ] {
        let name = HeaderName::new_from_ascii_str(name);
        mail.headers_mut().insert_raw(HeaderValue::new(name, value.to_owned()));
    }
    Ok(mail)
}

type Error = lettre::transport::smtp::Error;

fn transport(account: &Account, host: &str) -> Result<AsyncSmtpTransport<Tokio1Executor>, Error> {
    tls::use_ring();
    let tls = || TlsParameters::new(account.host.clone());
    let tls = match account.security {
        Security::Wrapped => Tls::Wrapper(tls()?),
        Security::StartTls => Tls::Required(tls()?),
        Security::None => Tls::None,
    };
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&account.host)
        .port(account.port)
        .tls(tls)
        .timeout(Some(ANSWER_WITHIN))
        .hello_name(hello(host));
    Ok(match &account.login {
        Some((user, password)) => {
            transport.credentials(Credentials::new(user.clone(), password.clone())).build()
        }
        None => transport.build(),
    })
}

/// The name of this machine, if it is one that the protocol allows.
fn hello(host: &str) -> ClientId {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if !host.is_empty() && host.chars().all(allowed) {
        ClientId::Domain(host.to_owned())
    } else {
        ClientId::default()
    }
}

fn refusal(error: &Error) -> Refusal {
    let detail = chain(error);
    let Some(code) = error.status() else {
        let brief = if error.is_timeout() {
            "did not answer in time"
        } else if error.is_tls() || detail.contains("certificate") {
            "TLS failed"
        } else if error.is_client() && detail.contains("STARTTLS") {
            "does not offer STARTTLS"
        } else {
            "cannot be reached"
        };
        return Refusal::passing(brief, detail);
    };
    let brief = format!("answered {code}");
    Refusal { lasting: error.is_permanent(), ..Refusal::passing(brief, detail) }
}
