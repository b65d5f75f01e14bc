//! From what a letter says to a message: plain text, and simple HTML with the same words.

use std::fmt::Write as _;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

/// Characters of a subject, and of a recipient's name, at most.
const LINE_CHARS_MAX: usize = 150;

/// What a letter says.
pub(super) struct Text {
    pub(super) subject: String,
    pub(super) paragraphs: Vec<String>,
    /// A link and what it does.
    pub(super) act: Option<(String, String)>,
    pub(super) foot: String,
}

/// One line of a header field: what people typed holds no line ends, so that it cannot begin another field.
fn line(text: &str) -> String {
    let cleaned = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    cleaned.take(LINE_CHARS_MAX).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

impl Text {
    fn plain(&self) -> String {
        let mut text = String::new();
        for paragraph in &self.paragraphs {
            let _ = write!(text, "{}\r\n\r\n", paragraph.replace(char::is_control, " "));
        }
        if let Some((what, address)) = &self.act {
            let _ = write!(text, "{what}:\r\n{address}\r\n\r\n");
        }
        let _ = write!(text, "{}\r\n", self.foot.replace(char::is_control, " "));
        text
    }

    fn html(&self) -> String {
        let mut html = String::from(
            "<!doctype html><html lang=\"en\"><body style=\"font-family:sans-serif;font-size:16px;line-height:1.5;color:#1c1c1c\">",
        );
        for paragraph in &self.paragraphs {
            let _ = write!(html, "<p>{}</p>", escaped(paragraph));
        }
        if let Some((what, address)) = &self.act {
            let (what, address) = (escaped(what), escaped(address));
            let _ = write!(
                html,
                "<p><a href=\"{address}\" style=\"display:inline-block;padding:10px 16px;border-radius:6px;background:#1f5fd0;\
                 color:#ffffff;text-decoration:none\">{what}</a></p><p style=\"font-size:13px\">{address}</p>"
            );
        }
        let _ = write!(
            html,
            "<p style=\"font-size:13px;color:#5c5c5c\">{}</p></body></html>\r\n",
            escaped(&self.foot)
        );
        html
    }

    /// The whole message. `id` makes it the same one when it is sent again. `None` for a recipient that cannot be written to.
    pub(super) fn message(
        &self,
        from: &Mailbox,
        (to, name): (&str, Option<&str>),
        id: &str,
        at: DateTime<Utc>,
    ) -> Option<Message> {
        let to: Address = to.parse().ok()?;
        let name = name.map(line).filter(|name| !name.trim().is_empty());
        let message = Message::builder()
            .from(from.clone())
            .to(Mailbox::new(name, to))
            .subject(line(&self.subject))
            .date(SystemTime::from(at))
            .message_id(Some(format!("<{id}@{}>", from.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative_plain_html(self.plain(), self.html()));
        message.ok()
    }
}

/// `Auto-Submitted: auto-generated` (RFC 3834 §5): holiday replies stay away.
#[derive(Clone, Copy)]
struct AutoSubmitted;

impl lettre::message::header::Header for AutoSubmitted {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }
    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }
    fn display(&self) -> lettre::message::header::HeaderValue {
        lettre::message::header::HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(subject: &str, name: &str, to: &str) -> Option<String> {
        let text = Text {
            subject: subject.into(),
            paragraphs: vec![format!("Hello {name},")],
            act: Some(("Open".into(), "https://h.example/x?a=1&b=2".into())),
            foot: "Bye".into(),
        };
        let from = "Headwater <no-reply@h.example>".parse().expect("a mailbox");
        let made = text.message(&from, (to, Some(name)), "ml_1", DateTime::<Utc>::UNIX_EPOCH)?;
        Some(String::from_utf8(made.formatted()).expect("ASCII"))
    }

    #[test]
    fn what_people_typed_begins_no_header_field_and_no_tag() {
        let evil = "Eve\r\nBcc: all@victims.example\r\n\r\n<script>alert(1)</script>";
        let text = message(evil, evil, "eve@example.com").expect("a message");
        let (head, body) = text.split_once("\r\n\r\n").expect("head and body");
        assert!(
            !head.lines().any(|line| line.to_lowercase().starts_with("bcc:")),
            "{head}"
        );
        assert!(!body.contains("<script>") || !body.contains("text/html; charset=utf-8\r\n\r\n<script>"));
        let html = &body[body.find("text/html").expect("an HTML part")..];
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script"), "{html}");
    }

    #[test]
    fn a_message_is_whole_and_the_same_every_time() {
        let text = message("Gr\u{fc}\u{df}e \u{1f30a}", "J\u{f6}rg", "joerg@example.com").expect("a message");
        assert!(text.is_ascii());
        for field in [
            "From: Headwater <no-reply@h.example>",
            "Message-ID: <ml_1@h.example>",
            "Date: Thu, 01 Jan 1970",
            "Auto-Submitted: auto-generated",
            "multipart/alternative",
            "text/plain; charset=utf-8",
            "text/html; charset=utf-8",
        ] {
            assert!(text.contains(field), "{field}: {text}");
        }
        assert!(text.lines().all(|line| line.len() <= 998), "RFC 5322 2.1.1");
    }

    #[test]
    fn recipients_that_are_several_are_none() {
        for to in ["a@b.example, c@d.example", "a@b.example>\r\nBcc: x@y.example", "", "a"] {
            assert!(message("s", "n", to).is_none(), "{to}");
        }
    }
}
