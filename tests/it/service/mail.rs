//! Notices as mail: a real conversation with a mail server, plain, by STARTTLS and by TLS.

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::support::program::{Ended, Program};

/// What a client said, line by line.
type Transcript = Arc<Mutex<Vec<String>>>;

/// How a server behaves.
#[derive(Clone, Default)]
struct Server {
    said: Transcript,
    /// The certificate, if it speaks TLS.
    tls: Option<Arc<ServerConfig>>,
    /// Whether it speaks TLS from the beginning.
    wrapped: bool,
    /// The answer to a login.
    login: Option<&'static str>,
    /// The answer to a recipient.
    recipient: Option<&'static str>,
    /// The recipient that alone gets this answer.
    only: &'static str,
}

impl Server {
    async fn start(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = self.clone();
                tokio::spawn(async move {
                    let acceptor = server.tls.clone().map(TlsAcceptor::from);
                    match acceptor {
                        Some(acceptor) if server.wrapped => {
                            let stream = acceptor.accept(stream).await?;
                            server.converse(&mut BufReader::new(stream), true).await?;
                        }
                        acceptor => {
                            let mut stream = BufReader::new(stream);
                            let upgrade = server.converse(&mut stream, false).await?;
                            if let (true, Some(acceptor)) = (upgrade, acceptor) {
                                let stream = acceptor.accept(stream.into_inner()).await?;
                                server.answer_all(&mut BufReader::new(stream), true).await?;
                            }
                        }
                    }
                    std::io::Result::Ok(())
                });
            }
        });
        port
    }

    async fn converse<S>(&self, stream: &mut BufReader<S>, safe: bool) -> std::io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        stream.write_all(b"220 mail.test ESMTP\r\n").await?;
        stream.flush().await?;
        self.answer_all(stream, safe).await
    }

    /// Answers until the client quits, or wants TLS.
    async fn answer_all<S>(&self, stream: &mut BufReader<S>, safe: bool) -> std::io::Result<bool>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut data = false;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(false);
            }
            let line = line.trim_end().to_owned();
            self.said.lock().expect("no panic").push(line.clone());
            let word = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            let answer = match word.as_str() {
                _ if data && line != "." => continue,
                _ if data => {
                    data = false;
                    "250 taken"
                }
                "EHLO" if safe || self.tls.is_none() => "250-mail.test\r\n250 AUTH PLAIN LOGIN",
                "EHLO" => "250-mail.test\r\n250 STARTTLS",
                "STARTTLS" => "220 go ahead",
                "AUTH" => self.login.unwrap_or("235 welcome"),
                "RCPT" if !line.contains(self.only) => "250 fine",
                "RCPT" => self.recipient.unwrap_or("250 fine"),
                "DATA" => {
                    data = true;
                    "354 go on"
                }
                _ => "250 fine",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            stream.flush().await?;
            match word.as_str() {
                "STARTTLS" => return Ok(true),
                "QUIT" => return Ok(false),
                _ => {}
            }
        }
    }
}

/// A certificate for `localhost`, made with OpenSSL.
fn certificate(folder: &Path) -> Arc<ServerConfig> {
    let arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
                     -keyout key.pem -out cert.pem -subj /CN=mail.test \
                     -addext subjectAltName=DNS:localhost \
                     -addext basicConstraints=critical,CA:FALSE -addext extendedKeyUsage=serverAuth";
    let mut openssl = Command::new("openssl");
    openssl.args(arguments.split_whitespace()).current_dir(folder);
    let made = openssl.output().expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let chain = CertificateDer::from_pem_file(folder.join("cert.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("a key");
    ipam_rewind::tls::use_ring();
    let config = ServerConfig::builder().with_no_client_auth();
    Arc::new(config.with_single_cert(vec![chain], key).expect("a pair"))
}

/// Sends a test by the program, which trusts this certificate.
async fn send(url: &str, trusted: Option<&Path>) -> Ended {
    let mut command = Program::at(None).command(&["notify", "--test"]);
    command.env("NOTIFY_URL", url);
    if let Some(trusted) = trusted {
        command.env("SSL_CERT_FILE", trusted);
    }
    let run = move || Ended::from(command.output().expect("the program runs"));
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

/// `\0me\0hunter2` in Base64.
const LOGIN: &str = "AUTH PLAIN AG1lAGh1bnRlcjI=";

#[tokio::test]
async fn mail_without_encryption_arrives_with_headers_of_its_own() {
    let server = Server::default();
    let said = server.said.clone();
    let port = server.start().await;
    let url = format!("smtp://127.0.0.1:{port}?tls=none&from=rewind@a.test&to=b@c.test,d@e.test");
    let ended = send(&url, None).await;
    assert_eq!(
        (ended.code, ended.out.as_str()),
        (0, "email 127.0.0.1: delivered\nemail 127.0.0.1 (2): delivered\n"),
        "{}",
        ended.err
    );
    let said = said.lock().expect("no panic").clone();
    for line in [
        "MAIL FROM:<rewind@a.test>",
        "RCPT TO:<b@c.test>",
        "RCPT TO:<d@e.test>",
        "From: rewind@a.test",
        "To: b@c.test",
        "To: d@e.test",
        "Auto-Submitted: auto-generated",
        "X-Ipam-Rewind-Event: test",
        "This is a test. Notifications arrive here.",
    ] {
        assert!(
            said.iter().any(|it| it == line || it.starts_with(&format!("{line} "))),
            "{line} in {said:#?}"
        );
    }
    assert!(said.iter().any(|it| it.starts_with("Subject: ipam-rewind on ")), "{said:#?}");
    assert!(said.iter().any(|it| it.starts_with("Message-ID: <") && it.ends_with("@a.test>")));
    assert!(!said.iter().any(|it| it.starts_with("AUTH")), "{said:#?}");
}

#[tokio::test]
async fn password_is_sent_only_after_starttls_with_a_trusted_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Some(certificate(folder.path()));
    let server = Server { tls, ..Server::default() };
    let said = server.said.clone();
    let port = server.start().await;
    let url = format!("smtp://me:hunter2@localhost:{port}?from=a@b.test&to=c@d.test");

    let ended = send(&url, None).await;
    assert_eq!(ended.code, 1);
    let wanted = "email localhost: TLS failed: ";
    assert!(ended.out.starts_with(wanted) && ended.out.contains("certificate"), "{}", ended.out);
    assert!(!said.lock().expect("no panic").iter().any(|line| line.starts_with("AUTH")));

    let ended = send(&url, Some(&folder.path().join("cert.pem"))).await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    let said = said.lock().expect("no panic").clone();
    let place = |word: &str| said.iter().rposition(|line| line.starts_with(word));
    assert!(place("STARTTLS") < place(LOGIN) && place(LOGIN) < place("DATA"), "{said:#?}");
}

#[tokio::test]
async fn server_without_starttls_gets_no_password() {
    let server = Server::default();
    let said = server.said.clone();
    let port = server.start().await;
    let ended =
        send(&format!("smtp://me:hunter2@localhost:{port}?from=a@b.test&to=c@d.test"), None).await;
    assert_eq!(ended.code, 1, "{}", ended.out);
    assert!(ended.out.starts_with("email localhost: does not offer STARTTLS"), "{}", ended.out);
    let said = said.lock().expect("no panic").clone();
    assert!(!said.iter().any(|line| line.starts_with("AUTH") || line == "DATA"), "{said:#?}");
}

#[tokio::test]
async fn mail_arrives_by_tls_from_the_beginning() {
    let folder = tempfile::tempdir().expect("a folder");
    let tls = Some(certificate(folder.path()));
    let server = Server { tls, wrapped: true, ..Server::default() };
    let said = server.said.clone();
    let port = server.start().await;
    let url = format!("smtps://me:hunter2@localhost:{port}?from=a@b.test&to=c@d.test");
    let ended = send(&url, Some(&folder.path().join("cert.pem"))).await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert!(said.lock().expect("no panic").iter().any(|line| line == LOGIN));
}

#[tokio::test]
async fn recipient_that_is_refused_keeps_no_mail_from_the_others() {
    let server = Server {
        recipient: Some("550 nobody of that name"),
        only: "d@e.test",
        ..Server::default()
    };
    let said = server.said.clone();
    let port = server.start().await;
    let to = "to=b@c.test,d@e.test,f@g.test";
    let ended = send(&format!("smtp://127.0.0.1:{port}?tls=none&from=a@b.test&{to}"), None).await;
    assert_eq!(ended.code, 1, "{}", ended.out);
    let lines: Vec<_> = ended.out.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ended.out);
    assert_eq!(lines[0], "email 127.0.0.1: delivered");
    assert!(lines[1].starts_with("email 127.0.0.1 (2): answered 550"), "{}", lines[1]);
    assert_eq!(lines[2], "email 127.0.0.1 (3): delivered");
    let mails = said.lock().expect("no panic").iter().filter(|line| *line == "DATA").count();
    assert_eq!(mails, 2);
}

#[tokio::test]
async fn refused_login_or_recipient_is_told_without_the_password() {
    for (login, recipient, wanted) in [
        (Some("535 no hunter2 here"), None, "answered 535"),
        (None, Some("550 nobody of that name"), "answered 550"),
        (None, Some("451 later"), "answered 451"),
    ] {
        let port = Server { login, recipient, ..Server::default() }.start().await;
        let url = format!("smtp://me:secret@127.0.0.1:{port}?tls=none&from=a@b.test&to=c@d.test");
        let ended = send(&url, None).await;
        assert_eq!(ended.code, 1);
        assert!(ended.out.contains(wanted), "{wanted}: {}{}", ended.out, ended.err);
        assert!(!(ended.out + &ended.err).contains("secret"));
    }
}
