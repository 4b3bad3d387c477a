//! From bytes to text: which encoding, and whether it is text at all.

use crate::ReadError;

/// How many bytes are looked at to guess an encoding.
const SAMPLE: usize = 1 << 20;

/// A decoded text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    /// The text, without a byte-order mark.
    pub(crate) text: String,
    /// The encoding's name, if it was not UTF-8.
    pub(crate) encoding: Option<&'static str>,
}

/// Decodes `bytes`, or says that they are not text.
///
/// A byte-order mark decides; then UTF-8 if the bytes are valid; then UTF-16 if
/// every second byte is zero as in Latin text; then the most probable of the
/// legacy encodings. Line ends stay as they are, so that lines are those an
/// editor shows; only in a text that has no `\n` at all is `\r`, which then ends
/// its lines, turned into one.
pub(crate) fn decode(bytes: Vec<u8>, file: &str) -> Result<Decoded, ReadError> {
    let binary = |found| ReadError::Binary {
        file: file.to_owned(),
        found,
    };
    if let Some(found) = signature(&bytes) {
        return Err(binary(found));
    }
    let mut decoded = if let Some((encoding, mark)) = encoding_rs::Encoding::for_bom(&bytes) {
        if encoding == encoding_rs::UTF_8 {
            match String::from_utf8(bytes) {
                Ok(mut text) => {
                    text.drain(..mark);
                    Decoded {
                        text,
                        encoding: None,
                    }
                }
                Err(damaged) => Decoded {
                    text: String::from_utf8_lossy(&damaged.as_bytes()[mark..]).into_owned(),
                    encoding: None,
                },
            }
        } else {
            with(encoding, &bytes[mark..])
        }
    } else if let Some(encoding) = utf16_without_mark(&bytes) {
        with(encoding, &bytes)
    } else {
        match String::from_utf8(bytes) {
            Ok(text) => Decoded {
                text,
                encoding: None,
            },
            Err(other) => {
                let bytes = other.into_bytes();
                if bytes.contains(&0) {
                    return Err(binary("binary data (it has zero bytes)"));
                }
                with(guess(&bytes), &bytes)
            }
        }
    };
    if decoded.text.as_bytes().contains(&0) {
        return Err(binary("binary data (it has zero bytes)"));
    }
    if mostly_control(&decoded.text) {
        return Err(binary("binary data (it has many control characters)"));
    }
    if !decoded.text.as_bytes().contains(&b'\n') && decoded.text.as_bytes().contains(&b'\r') {
        decoded.text = decoded.text.replace('\r', "\n");
    }
    Ok(decoded)
}

/// Decodes HTML or XML, which may name its own encoding near the start
/// (`charset=…`, `encoding="…"`); what it names counts if the bytes are neither
/// marked nor valid UTF-8.
pub(crate) fn decode_markup(bytes: Vec<u8>, file: &str) -> Result<Decoded, ReadError> {
    let marked = encoding_rs::Encoding::for_bom(&bytes).is_some();
    if marked || std::str::from_utf8(&bytes).is_ok() {
        return decode(bytes, file);
    }
    match named(&bytes) {
        Some(encoding) if !encoding.name().starts_with("UTF-") && !bytes.contains(&0) => {
            Ok(with(encoding, &bytes))
        }
        _ => decode(bytes, file),
    }
}

/// Returns the encoding that the first kilobyte of `bytes` names.
fn named(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]);
    let label = ["charset=", "encoding="]
        .iter()
        .find_map(|key| start.find(key).map(|at| &start[at + key.len()..]))?;
    let label = label.trim_start_matches(['"', '\'']);
    let end = label
        .find(|letter: char| !(letter.is_ascii_alphanumeric() || "-_:".contains(letter)))
        .unwrap_or(label.len());
    encoding_rs::Encoding::for_label(&label.as_bytes()[..end])
}

/// Returns what `bytes` are if they begin like a well-known format that is not text.
pub(crate) fn signature(bytes: &[u8]) -> Option<&'static str> {
    const SIGNATURES: [(&[u8], &str); 19] = [
        (b"%PDF-", "a PDF"),
        (b"PK\x03\x04", "a zip archive or an Office document"),
        (b"PK\x05\x06", "an empty zip archive"),
        (
            b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1",
            "an old Office document",
        ),
        (b"\x1F\x8B", "a gzip archive"),
        (b"\x28\xB5\x2F\xFD", "a zstd archive"),
        (b"BZh", "a bzip2 archive"),
        (b"\xFD7zXZ\x00", "an xz archive"),
        (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
        (b"Rar!\x1A\x07", "a rar archive"),
        (b"\x89PNG\r\n\x1A\n", "a PNG picture"),
        (b"\xFF\xD8\xFF", "a JPEG picture"),
        (b"GIF8", "a GIF picture"),
        (b"\x7FELF", "a program"),
        (b"MZ\x90\x00", "a program"),
        (b"\x00asm", "a program"),
        (b"SQLite format 3\x00", "a SQLite database"),
        (b"{\\rtf", "an RTF document"),
        (b"GGUF", "a language model"),
    ];
    SIGNATURES
        .iter()
        .find(|(start, _)| bytes.starts_with(start))
        .map(|(_, found)| *found)
}

/// Returns the byte order of UTF-16 without a mark: mostly Latin text has zeros
/// in every second byte and none in the others.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    if sample.len() < 4 {
        return None;
    }
    let zeros = |from: usize| {
        sample
            .iter()
            .skip(from)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (first, second, half) = (zeros(0), zeros(1), sample.len() / 2);
    if first == 0 && second * 10 >= half * 7 {
        Some(encoding_rs::UTF_16LE)
    } else if second == 0 && first * 10 >= half * 7 {
        Some(encoding_rs::UTF_16BE)
    } else {
        None
    }
}

fn guess(bytes: &[u8]) -> &'static encoding_rs::Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    detector.feed(sample, sample.len() == bytes.len());
    detector.guess(None, chardetng::Utf8Detection::Deny)
}

fn with(encoding: &'static encoding_rs::Encoding, bytes: &[u8]) -> Decoded {
    let (text, _) = encoding.decode_without_bom_handling(bytes);
    Decoded {
        text: text.into_owned(),
        encoding: Some(encoding.name()),
    }
}

/// Returns whether more than two of a hundred characters at the start are
/// control characters that text does not have. Random bytes have about ten.
fn mostly_control(text: &str) -> bool {
    let sample = &text[..text.floor_char_boundary(64 * 1024)];
    let (mut control, mut all) = (0usize, 0usize);
    for letter in sample.chars() {
        all += 1;
        let plain = matches!(
            letter,
            '\t' | '\n' | '\r' | '\x0b' | '\x0c' | '\x1b' | '\u{85}'
        );
        if (letter.is_control() && !plain) || letter == '\u{FFFD}' {
            control += 1;
        }
    }
    control * 50 > all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: &str, encoding: Option<&'static str>) {
        let expect = Decoded {
            text: text.into(),
            encoding,
        };
        assert_eq!(decode(bytes.to_vec(), "f").unwrap(), expect);
    }

    fn refused(bytes: &[u8]) {
        assert!(matches!(
            decode(bytes.to_vec(), "f"),
            Err(ReadError::Binary { .. })
        ));
    }

    #[test]
    fn utf8_is_kept_and_its_mark_dropped() {
        check("naïve\r\n".as_bytes(), "naïve\r\n", None);
        check(b"\xEF\xBB\xBFone", "one", None);
        check(b"", "", None);
    }

    #[test]
    fn utf16_is_known_with_and_without_its_mark() {
        check(b"\xFF\xFEh\0i\0", "hi", Some("UTF-16LE"));
        check(b"\xFE\xFF\0h\0i", "hi", Some("UTF-16BE"));
        check(b"w\0o\0r\0d\0s\0", "words", Some("UTF-16LE"));
        check(b"\0w\0o\0r\0d\0s", "words", Some("UTF-16BE"));
    }

    #[test]
    fn legacy_encodings_are_guessed() {
        check(
            b"caf\xe9 na\xefve r\xe9sum\xe9",
            "café naïve résumé",
            Some("windows-1252"),
        );
        let japanese = "名前,年齢,住所\n佐藤太郎,30,東京\n";
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(japanese);
        check(&bytes, japanese, Some("Shift_JIS"));
    }

    #[test]
    fn markup_names_its_encoding() {
        let page = b"<meta charset='koi8-r'><p>\xf0\xd2\xc9\xd7\xc5\xd4";
        let decoded = decode_markup(page.to_vec(), "f").unwrap();
        assert!(decoded.text.ends_with("Привет"));
        assert_eq!(decoded.encoding, Some("KOI8-R"));
    }

    #[test]
    fn old_line_ends_become_lines() {
        check(b"one\rtwo\r", "one\ntwo\n", None);
        check(b"one\rtwo\n", "one\rtwo\n", None);
    }

    #[test]
    fn what_is_not_text_is_refused() {
        refused(b"%PDF-1.4 and so on");
        refused(b"text with \0 in it");
        refused(b"\x89PNG\r\n\x1A\n");
        refused(b"\x01\x02\x03\x04\x05 abc \x06\x07");
        refused(b"\xff\x00\xfe\x01\x80");
    }
}
