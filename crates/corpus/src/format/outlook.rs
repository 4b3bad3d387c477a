//! Outlook's MSG: a message as properties in an OLE file ([MS-OXMSG] §2).

use std::io::{Cursor, Read as _};

use cfb::CompoundFile;

use crate::ReadError;
use crate::format::mail::Letter;
use crate::read::{Drafts, Source};

type Ole = CompoundFile<Cursor<Vec<u8>>>;

/// The most bytes of one property that are read.
const LONGEST: u64 = 64 << 20;

/// Reads an MSG file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let bytes = std::mem::take(&mut source.bytes);
    let mut ole =
        CompoundFile::open(Cursor::new(bytes)).map_err(|error| source.damaged("MSG", error))?;
    if !ole.exists("/__properties_version1.0") {
        return Err(source.damaged("MSG", "it is an OLE file, but not a message"));
    }
    let mut letter = Letter {
        subject: text(&mut ole, "", 0x0037).unwrap_or_default(),
        to: text(&mut ole, "", 0x0E04).unwrap_or_default(),
        copies: text(&mut ole, "", 0x0E03).unwrap_or_default(),
        text: text(&mut ole, "", 0x1000).unwrap_or_default(),
        date: delivered(&mut ole).unwrap_or_default(),
        ..Letter::default()
    };
    let name = text(&mut ole, "", 0x0C1A);
    let address = text(&mut ole, "", 0x5D01).or_else(|| text(&mut ole, "", 0x0C1F));
    letter.from = match (name, address) {
        (Some(name), Some(address)) if name != address && address.contains('@') => {
            format!("{name} <{address}>")
        }
        (Some(one), _) | (None, Some(one)) => one,
        (None, None) => String::new(),
    };
    if letter.text.trim().is_empty() {
        letter.html = match stream(&mut ole, "/__substg1.0_10130102") {
            Some(bytes) => crate::encoding::decode_markup(bytes, source.file)?.text,
            None => text(&mut ole, "", 0x1013).unwrap_or_default(),
        };
        if letter.html.trim().is_empty() && ole.exists("/__substg1.0_10090102") {
            source.skip_part(
                "the body",
                "it is written in RTF only; save the message as EML",
            );
        }
    }
    let storages: Vec<String> = ole
        .read_root_storage()
        .filter(|entry| entry.name().starts_with("__attach_version1.0_"))
        .map(|entry| format!("/{}", entry.name()))
        .collect();
    for storage in storages {
        let name = [0x3707, 0x3704, 0x3001]
            .into_iter()
            .find_map(|tag| text(&mut ole, &storage, tag));
        letter.attachments.extend(name);
    }
    Ok(letter.draft().into())
}

/// Returns a text property of the message or of a storage in it, UTF-16 if it is
/// there, else in the legacy encoding that fits best.
fn text(ole: &mut Ole, storage: &str, tag: u16) -> Option<String> {
    let text = match stream(ole, &format!("{storage}/__substg1.0_{tag:04X}001F")) {
        Some(bytes) => encoding_rs::UTF_16LE
            .decode_without_bom_handling(&bytes)
            .0
            .into_owned(),
        None => {
            let bytes = stream(ole, &format!("{storage}/__substg1.0_{tag:04X}001E"))?;
            crate::encoding::decode(bytes, "").ok()?.text
        }
    };
    let text = text.trim_matches('\0').trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn stream(ole: &mut Ole, path: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let stream = ole.open_stream(path).ok()?;
    stream.take(LONGEST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// Returns when the message was delivered, or sent, as `2024-01-15T10:00:00Z`. Times
/// are in the table of fixed properties, as tenths of microseconds since 1601.
fn delivered(ole: &mut Ole) -> Option<String> {
    let table = stream(ole, "/__properties_version1.0")?;
    let entries = table.get(32..)?;
    let time = [0x0E06_0040u32, 0x0039_0040].into_iter().find_map(|tag| {
        let entry = entries
            .chunks_exact(16)
            .find(|entry| entry[..4] == tag.to_le_bytes())?;
        let ticks = u64::from_le_bytes(entry[8..].try_into().ok()?);
        (ticks > 0).then_some(ticks)
    })?;
    let seconds = (time / 10_000_000).checked_sub(11_644_473_600)?;
    let clock = seconds % 86_400;
    let day = crate::read::day(
        std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(seconds))?,
    );
    let (hour, minute, second) = (clock / 3600, clock / 60 % 60, clock % 60);
    Some(format!("{day}T{hour:02}:{minute:02}:{second:02}Z"))
}
