//! From a path to a [`contract::DocumentId`]'s text.

use std::path::{Component, Path};

/// Returns the id of the document at `path_relative`, a path relative to the
/// project: `/` between the parts, on every system.
///
/// Bytes that are not UTF-8 are written `%XX`. So that no two paths share an
/// id, a `%` that is followed by two hexadecimal digits in the name itself is
/// written `%25`. All else stays as it is, spaces included.
pub fn document_id(path_relative: &Path) -> String {
    let mut id = String::new();
    for component in path_relative.components() {
        let part = match component {
            Component::CurDir => continue,
            other => other.as_os_str(),
        };
        if !id.is_empty() && !id.ends_with('/') {
            id.push('/');
        }
        push_part(&mut id, part.as_encoded_bytes());
    }
    id
}

fn push_part(id: &mut String, bytes: &[u8]) {
    for piece in bytes.utf8_chunks() {
        let valid = piece.valid();
        for (at, letter) in valid.char_indices() {
            let hexadecimal = |offset: usize| {
                valid
                    .as_bytes()
                    .get(at + offset)
                    .is_some_and(u8::is_ascii_hexdigit)
            };
            if letter == '%' && hexadecimal(1) && hexadecimal(2) {
                id.push_str("%25");
            } else {
                id.push(letter);
            }
        }
        for byte in piece.invalid() {
            id.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: &str) {
        assert_eq!(document_id(Path::new(path)), expect);
    }

    #[test]
    fn names_stay_as_they_are() {
        check("./docs/my notes.md", "docs/my notes.md");
        check("docs//a.md", "docs/a.md");
        check("Übersicht 100%.txt", "Übersicht 100%.txt");
        check("/etc/motd", "/etc/motd");
    }

    #[test]
    fn a_percent_sign_is_written_out_only_where_it_could_be_mistaken() {
        check("a%41.md", "a%2541.md");
        check("a%4.md", "a%4.md");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_text_are_written_out() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(OsStr::from_bytes(b"caf\xe9/\xff.md"));
        assert_eq!(document_id(path), "caf%E9/%FF.md");
    }
}
