//! A notice as people read it: a title and a text, before a format escapes them.

use crate::model::{visible, visible_lines};
use crate::service::jobs::Job;
use crate::service::notify::notice::{Event, Notice, Severity};

/// Text of a notice for a chat, a phone or a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// Some lines.
    pub text: String,
    /// Decides the colour or the priority.
    pub severity: Severity,
}

impl From<&Notice> for Message {
    fn from(notice: &Notice) -> Self {
        let title = format!("ipam-rewind on {}: {}", notice.host, words(notice));
        let mut lines = vec![notice.message.clone()];
        // The message names the first one.
        lines.extend(notice.damage.iter().skip(1).map(|damage| format!("- {damage}")));
        let severity = notice.event.severity();
        match &notice.last_good_backup {
            Some(id) => lines.push(format!("Last good backup: {id}")),
            None if severity == Severity::Critical => lines.push("No good backup is known".into()),
            None => {}
        }
        Self { title: visible(&title), text: visible_lines(&lines.join("\n")), severity }
    }
}

fn words(notice: &Notice) -> String {
    match notice.event {
        Event::JobFailed => {
            let job = notice.job.as_ref().map_or_else(|| "job".to_owned(), Job::title);
            format!("{job} failed")
        }
        Event::DamageFound => "damage found".into(),
        Event::BackupRecovered => "backups succeed again".into(),
        Event::BackupMade => "backup made".into(),
        Event::Overdue => "backup overdue".into(),
        Event::Missed => "backup missed".into(),
        Event::VerificationOverdue => "verification overdue".into(),
        Event::CopyOverdue => "copy overdue".into(),
        Event::IncrementalMismatch => "full read found other rows".into(),
        Event::RetentionStuck => "retention stuck".into(),
        Event::DiskFilling => "disk filling".into(),
        Event::ClockAhead => "clock is wrong".into(),
        Event::Resolved => "resolved".into(),
        Event::Test => "test".into(),
    }
}

/// Escapes a text character by character, as long as it fits into so many bytes; the end of a longer one
/// is an ellipsis. No escape sequence is cut.
#[must_use]
pub fn fit(text: &str, bytes: usize, escape: impl Fn(char) -> Option<String>) -> String {
    const ELLIPSIS: &str = "…";
    let (mut fitting, mut shortened) = (String::new(), None);
    for letter in text.chars() {
        let piece = escape(letter).unwrap_or_else(|| letter.to_string());
        if shortened.is_none() && fitting.len() + piece.len() + ELLIPSIS.len() > bytes {
            shortened = Some(fitting.len());
        }
        fitting += &piece;
        if fitting.len() > bytes {
            fitting.truncate(shortened.unwrap_or_default());
            return fitting + ELLIPSIS;
        }
    }
    fitting
}

/// Escapes nothing.
#[must_use]
pub fn as_it_is(_: char) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_does_not_fit_is_cut_between_characters_and_escapes() {
        let escape = |c| (c == '*').then(|| "\\*".to_owned());
        assert_eq!(fit("a*b", 4, escape), "a\\*b");
        assert_eq!(fit("a*bc", 4, escape), "a…");
        assert_eq!(fit("ääää", 7, as_it_is), "ää…");
        assert_eq!(fit("ääää", 8, as_it_is), "ääää");
        assert_eq!(fit("", 3, as_it_is), "");
    }

    #[test]
    fn title_is_one_line_whatever_the_message_holds() {
        let at = "2025-09-20T14:30:00Z".parse().expect("a time");
        let mut notice = Notice::new(Event::Overdue, "a\r\nb\u{1b}[1m", at);
        notice.host = "host\r\nBcc: all".into();
        let message = Message::from(&notice);
        assert_eq!(message.title, r"ipam-rewind on host\r\nBcc: all: backup overdue");
        assert_eq!(message.text, "a\\r\nb\\u{1b}[1m\nNo good backup is known");
    }
}
