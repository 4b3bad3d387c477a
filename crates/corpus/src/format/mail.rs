//! Mail: one message (EML) or a mailbox of them (MBOX); RFC 5322 and MIME.

use mail_parser::mailbox::mbox::MessageIterator;
use mail_parser::{Address, Message, MessageParser, MimeHeaders as _, PartType};

use crate::ReadError;
use crate::format::html;
use crate::outline::Outline;
use crate::read::{Draft, Drafts, Source};

/// Reads one message.
pub(crate) fn read(source: &Source<'_>) -> Result<Drafts, ReadError> {
    let parsed = MessageParser::default().parse(&source.bytes);
    match parsed.filter(|message| !message.headers().is_empty()) {
        Some(message) => Ok(draft(&message).into()),
        None => Err(source.damaged("EML", "it has no header such as `From:`")),
    }
}

/// Reads a mailbox, each message a document.
pub(crate) fn read_box(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let bytes = std::mem::take(&mut source.bytes);
    let mut drafts = Drafts::default();
    for (number, message) in MessageIterator::new(bytes.as_slice()).enumerate() {
        let record = format!("doc_{number}");
        let parsed = message
            .as_ref()
            .ok()
            .and_then(|message| MessageParser::default().parse(message.contents()));
        match parsed {
            Some(message) => {
                let mut draft = draft(&message);
                draft.record = Some(record);
                drafts.documents.push(draft);
            }
            None => source.skip_record(format!("`{record}`"), "it is not a message"),
        }
    }
    if drafts.documents.is_empty() {
        return Err(source.damaged("MBOX", "it has no message (a line that begins `From `)"));
    }
    Ok(drafts)
}

/// A message's parts, whatever file they came in.
#[derive(Default)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) copies: String,
    pub(crate) date: String,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) attachments: Vec<String>,
}

impl Letter {
    /// Returns the message as a document: its head and its body, its subject the
    /// heading. The body is the plain text if there is one, else the HTML's.
    pub(crate) fn draft(self) -> Draft {
        let mut outline = Outline::default();
        outline.heading(1, &self.subject);
        for (name, value) in [
            ("From", &self.from),
            ("To", &self.to),
            ("Cc", &self.copies),
            ("Date", &self.date),
        ] {
            if !value.trim().is_empty() {
                outline.line(&format!("{name}: {}", value.trim()));
            }
        }
        if self.text.trim().is_empty() {
            outline.blank_line();
            html::push_fragment(&self.html, &mut outline, 1);
        } else {
            outline.paragraph(&self.text.replace("\r\n", "\n"));
        }
        let attachments = self.attachments.join(", ");
        if !attachments.is_empty() {
            outline.paragraph(&format!("Attachments: {attachments}"));
        }
        let mut draft = Draft {
            title: Some(self.subject.clone()),
            text: outline.text,
            marks: outline.marks,
            ..Draft::default()
        };
        draft.note("subject", &self.subject);
        draft.note("from", &self.from);
        draft.note("to", &self.to);
        draft.note("cc", &self.copies);
        draft.note("date", &self.date);
        draft.note("attachments", &attachments);
        draft
    }
}

fn draft(message: &Message<'_>) -> Draft {
    let mut letter = Letter {
        subject: message.subject().unwrap_or("").to_owned(),
        from: message.from().map(people).unwrap_or_default(),
        to: message.to().map(people).unwrap_or_default(),
        copies: message.cc().map(people).unwrap_or_default(),
        date: message
            .date()
            .map(|date| date.to_rfc3339())
            .unwrap_or_default(),
        ..Letter::default()
    };
    for part in message.text_bodies() {
        if let PartType::Text(text) = &part.body {
            letter.text.push_str(text);
            letter.text.push('\n');
        }
    }
    for part in message.html_bodies() {
        if let PartType::Html(html) = &part.body {
            letter.html.push_str(html);
        }
    }
    letter.attachments = message
        .attachments()
        .filter_map(|part| part.attachment_name().map(str::to_owned))
        .collect();
    letter.draft()
}

fn people(address: &Address<'_>) -> String {
    let people: Vec<String> = address
        .iter()
        .map(|person| match (&person.name, &person.address) {
            (Some(name), Some(address)) => format!("{name} <{address}>"),
            (Some(one), None) | (None, Some(one)) => one.to_string(),
            (None, None) => String::new(),
        })
        .collect();
    people.join(", ")
}

#[cfg(test)]
mod tests {
    use crate::{ReadOptions, read_bytes};

    #[test]
    fn a_message_has_its_head_and_body() {
        let text = "From: Ada <ada@a.example>\r\nTo: bob@a.example\r\nSubject: =?utf-8?q?Caf=C3=A9?=\r\nDate: Mon, 15 Jan 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Hello <b>Bob</b>.</p>\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--b--\r\n";
        let reading = read_bytes(text.as_bytes(), "a.eml", "a", &ReadOptions::default()).unwrap();
        let document = &reading.documents[0];
        assert_eq!(
            document.text,
            "Café\n\nFrom: Ada <ada@a.example>\nTo: bob@a.example\nDate: 2024-01-15T10:00:00Z\n\nHello Bob.\n\nAttachments: a.pdf\n"
        );
        assert_eq!(document.title.as_deref(), Some("Café"));
        assert_eq!(document.metadata["from"].to_string(), "Ada <ada@a.example>");
    }

    #[test]
    fn a_mailbox_has_many() {
        let text = "From a@b Mon Jan 15 10:00:00 2024\nSubject: One\n\nFirst.\n\nFrom a@b Mon Jan 15 10:00:00 2024\nSubject: Two\n\nSecond.\n";
        let reading = read_bytes(text.as_bytes(), "a.mbox", "a", &ReadOptions::default()).unwrap();
        let titles: Vec<_> = reading
            .documents
            .iter()
            .map(|d| d.title.as_deref())
            .collect();
        assert_eq!(titles, [Some("One"), Some("Two")]);
        assert_eq!(reading.documents[1].id.as_str(), "a#doc_1");
    }
}
