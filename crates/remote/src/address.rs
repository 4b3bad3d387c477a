//! Addresses of servers: as much of RFC 3986 as redirects and lists of links need.

use crate::RemoteError;

/// Returns the host and port of `url`, without user and password: `localhost:8000`.
pub(crate) fn host(url: &str) -> &str {
    let authority = authority(url);
    authority.rsplit_once('@').map_or(authority, |it| it.1)
}

/// Returns the user and password that stand in `url`, as written.
pub(crate) fn user(url: &str) -> Option<&str> {
    authority(url).rsplit_once('@').map(|it| it.0)
}

/// Looks whether `url`, which `from` names as the address of `what`, is one.
///
/// # Errors
/// If it begins with neither `https://` nor `http://`, or has no host.
pub(crate) fn check(url: &str, what: &str, from: &str) -> Result<(), RemoteError> {
    let rest = ["https://", "http://"].map(|scheme| url.strip_prefix(scheme));
    if rest.iter().flatten().next().is_some() && !host(url).is_empty() {
        return Ok(());
    }
    Err(RemoteError::Setting {
        what: format!("the address of {what}, `{}`,", without_user(url)),
        source: format!("expected `https://…`; `{from}` names it").into(),
    })
}

/// Returns `url` without user and password.
pub(crate) fn without_user(url: &str) -> String {
    match user(url) {
        Some(user) => url.replacen(&format!("{user}@"), "", 1),
        None => url.to_owned(),
    }
}

/// Returns whether two addresses are of one server: scheme, host and port.
pub(crate) fn same_server(a: &str, b: &str) -> bool {
    scheme(a) == scheme(b) && host(a).eq_ignore_ascii_case(host(b))
}

/// Returns what `reference`, as it stands on the page `base`, points to (RFC 3986,
/// section 5.2).
pub(crate) fn join(base: &str, reference: &str) -> String {
    if let Some((scheme, _)) = reference.split_once("://")
        && !scheme.is_empty()
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    {
        return reference.to_owned();
    }
    let scheme = scheme(base);
    if let Some(rest) = reference.strip_prefix("//") {
        return format!("{scheme}://{rest}");
    }
    let start = format!("{scheme}://{}", authority(base));
    let path = base
        .get(start.len()..)
        .unwrap_or_default()
        .split(['?', '#'])
        .next()
        .unwrap_or_default();
    if reference.starts_with('/') {
        return format!("{start}{}", tidy(reference));
    }
    if reference.starts_with(['?', '#']) {
        return format!("{start}{path}{reference}");
    }
    let folder = path.rfind('/').map_or("/", |at| &path[..=at]);
    format!("{start}{}", tidy(&format!("{folder}{reference}")))
}

/// Takes `.` and `..` out of a path, as far as its query.
fn tidy(path: &str) -> String {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, rest) = path.split_at(end);
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if path.ends_with("/.") || path.ends_with("/..") {
        parts.push("");
    }
    format!("/{}{rest}", parts.join("/"))
}

fn scheme(url: &str) -> &str {
    url.split_once("://").map_or("https", |it| it.0)
}

fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |it| it.1);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// Returns `text` with everything but letters, digits and `-._~/` as `%XX`.
pub(crate) fn escaped(text: &str) -> String {
    let mut url = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url
}

/// Returns `text` with each `%XX` as its byte; what is not UTF-8 then is left as it was.
pub(crate) fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let code = after
            .get(..2)
            .filter(|_| first == b'%')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_joined() {
        let base = "https://u:p@x.test:8/simple/name/?a=1#b";
        for (reference, expect) in [
            ("https://y.test/f", "https://y.test/f"),
            ("//y.test/f", "https://y.test/f"),
            ("/f?x=/../y", "https://u:p@x.test:8/f?x=/../y"),
            ("f.whl", "https://u:p@x.test:8/simple/name/f.whl"),
            (
                "../../packages/f.whl#sha256=0",
                "https://u:p@x.test:8/packages/f.whl#sha256=0",
            ),
            ("../../../../f", "https://u:p@x.test:8/f"),
            ("..", "https://u:p@x.test:8/simple/"),
            ("?c", "https://u:p@x.test:8/simple/name/?c"),
        ] {
            assert_eq!(join(base, reference), expect, "{reference}");
        }
        assert_eq!(join("http://x.test", "f"), "http://x.test/f");
    }

    #[test]
    fn an_address_has_a_scheme_and_a_host() {
        let check = |url: &str| check(url, "the hub", "HF_ENDPOINT").is_ok();
        assert!(check("https://x.test") && check("http://u:p@localhost:8000/a"));
        assert!(!check("x.test") && !check("ftp://x.test") && !check("https://"));
        let error = super::check("ftp://me:secret@x.test", "the hub", "HF_ENDPOINT").unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }

    #[test]
    fn users_are_taken_out() {
        assert_eq!(host("https://u:p@x.test:8/a@b"), "x.test:8");
        assert_eq!(without_user("https://u:p@x.test/a"), "https://x.test/a");
        assert!(same_server("http://X.test/a", "http://u@x.test/b"));
        assert!(!same_server("http://x.test/a", "https://x.test/a"));
    }

    #[test]
    fn escapes_go_and_come() {
        assert_eq!(escaped("a b/ü"), "a%20b/%C3%BC");
        assert_eq!(unescaped("a%20b/%C3%BC%"), "a b/ü%");
        assert_eq!(unescaped("%ff"), "%ff");
    }
}
