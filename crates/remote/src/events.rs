//! Server-sent events (WHATWG HTML, section 9.2): as much as servers that stream text use.

use std::io::{BufRead as _, BufReader, Read};

/// A longer line is no event of any server.
const LONGEST_LINE: u64 = 16 << 20;

/// The `data` of one event after another.
pub(crate) struct Events<R> {
    reader: BufReader<R>,
}

impl<R: Read> Events<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::new(reader),
        }
    }

    /// Returns the next event's data, or nothing at the end. An event that the end cuts
    /// off is left out, as the standard says.
    pub(crate) fn next(&mut self) -> std::io::Result<Option<String>> {
        let mut data: Option<String> = None;
        loop {
            let mut line = Vec::new();
            let read = self
                .reader
                .by_ref()
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                return Ok(None);
            }
            if !line.ends_with(b"\n") && read as u64 == LONGEST_LINE {
                return Err(std::io::Error::other("a line of an event has no end"));
            }
            while line.ends_with(b"\n") || line.ends_with(b"\r") {
                line.pop();
            }
            if line.is_empty() {
                match data.take() {
                    Some(data) => return Ok(Some(data)),
                    None => continue,
                }
            }
            let Some(value) = line.strip_prefix(b"data:") else {
                // Comments (`:`), which keep a connection alive, and other fields.
                continue;
            };
            let value = String::from_utf8_lossy(value.strip_prefix(b" ").unwrap_or(value));
            match &mut data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(&value);
                }
                None => data = Some(value.into_owned()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let text =
            b": hello\n\ndata: {\"a\":1}\r\n\r\nevent: x\ndata:two\ndata:  lines\n\n\ndata: cut";
        let mut events = Events::new(&text[..]);
        let mut found = Vec::new();
        while let Some(data) = events.next().unwrap() {
            found.push(data);
        }
        assert_eq!(found, ["{\"a\":1}", "two\n lines"]);
    }
}
