//! A key or token, which is sent to its server and shown to nobody.

use std::fmt;

/// A key or token. It has no `Display`, and its `Debug` says only that there is one.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes `text` as a secret, without the blanks and line ends around it; nothing
    /// if only those are there.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Returns the `Authorization` header that carries it (RFC 6750), or nothing if it
    /// has characters that cannot stand in a header.
    pub(crate) fn bearer(&self) -> Option<String> {
        self.0
            .bytes()
            .all(|byte| (0x21..0x7f).contains(&byte))
            .then(|| format!("Bearer {}", self.0))
    }

    /// Returns `text` with stars wherever the secret stands in it: some servers repeat
    /// in their errors what they were sent.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        let secret = Secret::new(" sk-12345\n").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(***)");
        assert_eq!(
            secret.hide_in("no such key: sk-12345."),
            "no such key: ***."
        );
        assert_eq!(secret.bearer().as_deref(), Some("Bearer sk-12345"));
        assert_eq!(Secret::new("two\nlines").unwrap().bearer(), None);
        assert_eq!(Secret::new(" \n"), None);
    }
}
