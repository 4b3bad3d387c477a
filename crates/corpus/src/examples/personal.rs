//! Likely personal data and secrets in a text.
//!
//! Each kind is known by its form and by what keeps chance away: check digits (IBAN by
//! ISO 13616, cards by Luhn), ranges that are really given out, marks that a telephone
//! number is written with. What is made for examples (`example.com`, private addresses,
//! `000-00-0000`) is not personal. Names of people are not looked for: without a model
//! more would be found wrongly than rightly.

use std::net::Ipv6Addr;
use std::ops::Range;

use serde::Serialize;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonalKind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// A bank account (IBAN).
    Iban,
    /// A payment card.
    Card,
    /// A public IP address.
    Ip,
    /// A social security number of the United States.
    SocialSecurity,
    /// A key, a token or a password.
    Secret,
}

impl PersonalKind {
    /// Returns what it is, in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "e-mail address",
            Self::Phone => "telephone number",
            Self::Iban => "bank account",
            Self::Card => "payment card",
            Self::Ip => "IP address",
            Self::SocialSecurity => "social security number",
            Self::Secret => "key or password",
        }
    }
}

/// Returns what in `text` is likely personal, and where, in the order of the text.
pub fn personal(text: &str) -> Vec<(PersonalKind, Range<usize>)> {
    let mut found = Vec::new();
    secrets(text, &mut found);
    emails(text, &mut found);
    words(text, &mut found);
    numbers(text, &mut found);
    found.sort_by_key(|(kind, range)| (range.start, std::cmp::Reverse(range.end), *kind));
    let mut end = 0;
    // What lies within another is a part of it.
    found.retain(|(_, range)| {
        let apart = range.start >= end;
        end = end.max(range.end);
        apart
    });
    found
}

fn emails(text: &str, found: &mut Vec<(PersonalKind, Range<usize>)>) {
    let bytes = text.as_bytes();
    let local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let host = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    for (at, _) in text.match_indices('@') {
        let start = at
            - bytes[..at]
                .iter()
                .rev()
                .take_while(|byte| local(byte))
                .count();
        let end = at + 1 + bytes[at + 1..].iter().take_while(|byte| host(byte)).count();
        let name = text[start..at].trim_matches('.');
        let domain = text[at + 1..end]
            .trim_end_matches(['.', '-'])
            .to_lowercase();
        let Some((site, top)) = domain.rsplit_once('.') else {
            continue;
        };
        let parts = site
            .split('.')
            .all(|part| !part.is_empty() && !part.starts_with('-') && !part.ends_with('-'));
        let of_examples = [
            "example",
            "test",
            "invalid",
            "localhost",
            "yourdomain",
            "yourcompany",
        ]
        .iter()
        .any(|word| {
            top == *word
                || site.rsplit('.').next() == Some(word)
                || site.split('.').any(|part| part == *word)
        });
        if !name.is_empty()
            && parts
            && (2..=24).contains(&top.len())
            && top.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !of_examples
        {
            found.push((PersonalKind::Email, start..at + 1 + domain.len()));
        }
    }
}

/// Keys with a form of their own: a beginning, and how many letters follow it.
const KEYS: [(&str, usize); 14] = [
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 36),
    ("gho_", 36),
    ("ghs_", 36),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("AIza", 35),
    ("sk-", 32),
    ("sk_live_", 20),
    ("hf_", 30),
    ("npm_", 36),
];

/// Names that a secret is written beside.
const NAMES: [&str; 9] = [
    "password",
    "passwd",
    "pwd",
    "api_key",
    "api-key",
    "apikey",
    "secret",
    "access_token",
    "auth_token",
];

fn secrets(text: &str, found: &mut Vec<(PersonalKind, Range<usize>)>) {
    let bytes = text.as_bytes();
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    for (begin, least) in KEYS {
        for (at, _) in text.match_indices(begin) {
            let own = at == 0 || !inside(&bytes[at - 1]);
            let rest = &bytes[at + begin.len()..];
            let length = rest.iter().take_while(|byte| inside(byte)).count();
            if own && length >= least && mixed(&rest[..length]) {
                found.push((PersonalKind::Secret, at..at + begin.len() + length));
            }
        }
    }
    for (at, begin) in text.match_indices("-----BEGIN ") {
        let line = text[at..].lines().next().unwrap_or(begin);
        if line.contains("PRIVATE KEY-----") {
            found.push((PersonalKind::Secret, at..at + line.len()));
        }
    }
    let lower = text.to_ascii_lowercase();
    for name in NAMES {
        for (at, _) in lower.match_indices(name) {
            let rest = &bytes[at + name.len()..];
            let quotes = |byte: &u8| b" \t\"'".contains(byte);
            let before = rest.iter().take_while(|byte| quotes(byte)).count();
            let Some(b':' | b'=') = rest.get(before) else {
                continue;
            };
            let gap = rest[before + 1..]
                .iter()
                .take_while(|byte| quotes(byte))
                .count();
            let value = &rest[before + 1 + gap..];
            let length = value
                .iter()
                .take_while(|byte| byte.is_ascii_graphic() && !b"\"',;<>{}()".contains(byte))
                .count();
            // A word is a description; a secret has letters and digits.
            if length >= 8 && mixed(&value[..length]) {
                let start = at + name.len() + before + 1 + gap;
                found.push((PersonalKind::Secret, start..start + length));
            }
        }
    }
}

/// Whether letters and digits are mixed, as chance mixes them.
fn mixed(bytes: &[u8]) -> bool {
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let first = bytes.first();
    digits >= 2 && letters >= 2 && !bytes.iter().all(|byte| Some(byte) == first)
}

/// Looks at words: IP addresses, and IBANs, which may have spaces in them.
fn words(text: &str, found: &mut Vec<(PersonalKind, Range<usize>)>) {
    let mut start = None;
    let ends = text
        .char_indices()
        .chain([(text.len(), ' ')])
        .collect::<Vec<_>>();
    for (at, letter) in ends {
        let inside = letter.is_ascii_alphanumeric() || matches!(letter, '.' | ':');
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                word(text, begin..at, found);
                start = None;
            }
            _ => {}
        }
    }
}

fn word(text: &str, range: Range<usize>, found: &mut Vec<(PersonalKind, Range<usize>)>) {
    let whole = &text[range.clone()];
    let word = whole.trim_end_matches(['.', ':']);
    let range = range.start..range.start + word.len();
    if let Some(end) = iban(&text[range.start..]) {
        found.push((PersonalKind::Iban, range.start..range.start + end));
        return;
    }
    let before = text[..range.start].chars().next_back();
    if is_public_v4(word, before) || is_public_v6(word) {
        found.push((PersonalKind::Ip, range));
    }
}

fn is_public_v4(word: &str, before: Option<char>) -> bool {
    // A version is written like an address: `v1.2.3.4`, `-1.2.3.4`.
    if before.is_some_and(|before| before.is_alphanumeric() || "-_/".contains(before)) {
        return false;
    }
    let word = match word.split_once(':') {
        Some((address, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => address,
        _ => word,
    };
    let Ok(address) = word.parse::<std::net::Ipv4Addr>() else {
        return false;
    };
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_unspecified()
        || address.is_multicast()
        // Small numbers alone are sections and versions.
        || (a < 16 && b < 16 && c < 16)
        || a == 0
        || a >= 240)
}

fn is_public_v6(word: &str) -> bool {
    word.matches(':').count() >= 3
        && word.parse::<Ipv6Addr>().is_ok_and(|address| {
            let first = address.segments()[0];
            // What is given out is 2000::/3; 2001:db8::/32 is for examples.
            first & 0xe000 == 0x2000 && !(first == 0x2001 && address.segments()[1] == 0xdb8)
        })
}

/// The lengths of IBANs by country (the registry of ISO 13616).
const IBAN_LENGTHS: [(&[u8; 2], usize); 40] = [
    (b"AD", 24),
    (b"AE", 23),
    (b"AT", 20),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BR", 29),
    (b"CH", 21),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"RS", 22),
    (b"SA", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"TR", 26),
];

/// Returns how long the IBAN is with which `text` begins.
fn iban(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let country: [u8; 2] = bytes.get(..2)?.try_into().ok()?;
    let (_, length) = IBAN_LENGTHS.iter().find(|(code, _)| **code == country)?;
    let mut letters = Vec::with_capacity(*length);
    let mut end = 0;
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b' ' if letters.len() % 4 == 0 && !letters.is_empty() => {}
            _ if byte.is_ascii_digit() || byte.is_ascii_uppercase() => {
                letters.push(*byte);
                end = at + 1;
            }
            _ => break,
        }
        if letters.len() == *length {
            break;
        }
    }
    let follows = bytes.get(end).is_some_and(u8::is_ascii_alphanumeric);
    if letters.len() != *length || follows {
        return None;
    }
    letters.rotate_left(4);
    let rest = letters.iter().fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (rest == 1).then_some(end)
}

/// Looks at runs of digits with what stands between them: cards, telephones.
fn numbers(text: &str, found: &mut Vec<(PersonalKind, Range<usize>)>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let begins = bytes[at].is_ascii_digit() || b"+(".contains(&bytes[at]);
        if !begins {
            at += 1;
            continue;
        }
        let mut end = at;
        let mut gap = 0;
        for (place, byte) in bytes.iter().enumerate().skip(at) {
            if byte.is_ascii_digit() || (*byte == b'+' && place == at) {
                end = place + 1;
                gap = 0;
            } else if b" -.()/".contains(byte) && gap < 2 {
                gap += 1;
            } else {
                break;
            }
        }
        let range = at..end.max(at + 1);
        let before = text[..at].chars().next_back();
        let after = text[range.end..].chars().next();
        let apart = |letter: Option<char>| {
            letter.is_none_or(|letter| !letter.is_alphanumeric() && !"_$€£#=%".contains(letter))
        };
        if apart(before)
            && apart(after)
            && !is_reckoned(text, &range)
            && let Some(kind) = number(&text[range.clone()])
        {
            found.push((kind, range.clone()));
        }
        at = range.end;
    }
}

/// Whether a sign of arithmetic stands between a number and another, as in `2 + 3 = 5`.
fn is_reckoned(text: &str, range: &Range<usize>) -> bool {
    fn sign(mut letters: impl Iterator<Item = char>) -> bool {
        let known = letters.next().is_some_and(|it| "+=*×÷^".contains(it));
        known && letters.next().is_some_and(|it| it.is_ascii_digit())
    }
    let near = |letter: &char| !letter.is_whitespace();
    let before = text[..range.start].chars().rev().find(near);
    if text[range.clone()].starts_with('+') && before.is_some_and(|it| it.is_ascii_digit()) {
        return true;
    }
    sign(text[..range.start].chars().rev().filter(near))
        || sign(text[range.end..].chars().filter(near))
}

fn number(written: &str) -> Option<PersonalKind> {
    let digits: Vec<u8> = written
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|byte| byte - b'0')
        .collect();
    let shape: String = written
        .chars()
        .map(|letter| if letter.is_ascii_digit() { 'd' } else { letter })
        .collect();
    if is_card(&digits, &shape) {
        return Some(PersonalKind::Card);
    }
    if shape == "ddd-dd-dddd" {
        let area = number_of(&digits[..3]);
        let given = area != 0 && area != 666 && area < 900;
        let real = number_of(&digits[3..5]) != 0 && number_of(&digits[5..]) != 0;
        // 078-05-1120 and 219-09-9999 were printed in advertisements.
        let known = matches!(number_of(&digits), 78_051_120 | 219_099_999);
        return (given && real && !known).then_some(PersonalKind::SocialSecurity);
    }
    is_phone(&digits, &shape).then_some(PersonalKind::Phone)
}

fn number_of(digits: &[u8]) -> u64 {
    digits
        .iter()
        .fold(0, |number, digit| number * 10 + u64::from(*digit))
}

/// A card is written in one piece or in groups as on the card, begins like one, and has
/// Luhn's check digit (ISO/IEC 7812-1).
fn is_card(digits: &[u8], shape: &str) -> bool {
    let groups = [
        "dddd dddd dddd dddd",
        "dddd-dddd-dddd-dddd",
        "dddd dddddd ddddd",
        "dddd-dddddd-ddddd",
    ];
    if !(13..=19).contains(&digits.len())
        || !(groups.contains(&shape) || shape.bytes().all(|byte| byte == b'd'))
    {
        return false;
    }
    let two = number_of(&digits[..2]);
    let four = number_of(&digits[..4]);
    let issued = match digits.len() {
        13 | 19 => digits[0] == 4,
        15 => two == 34 || two == 37,
        14 => matches!(two, 36 | 38 | 39) || (300..=305).contains(&(four / 10)),
        16 => {
            digits[0] == 4
                || (51..=55).contains(&two)
                || (2221..=2720).contains(&four)
                || four == 6011
                || two == 65
                || (3528..=3589).contains(&four)
        }
        _ => false,
    };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| {
            let digit = u32::from(*digit) << (place % 2);
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    issued && sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// A telephone number has a `+` and a country, or is written as in North America with its
/// area in brackets or with hyphens. Nothing else is told from other numbers.
fn is_phone(digits: &[u8], shape: &str) -> bool {
    // 555-01xx is for films, and an area or an exchange begins with 2 at least.
    let american = |digits: &[u8]| {
        digits[0] >= 2 && digits[3] >= 2 && !(digits[3..6] == [5, 5, 5] && digits[6..8] == [0, 1])
    };
    if let Some(rest) = shape.strip_prefix('+') {
        // A sum has a space there.
        if !rest.starts_with(['d', '(']) {
            return false;
        }
        let divided = rest.bytes().any(|byte| byte != b'd');
        return match digits {
            [0, ..] => false,
            [1, rest @ ..] => rest.len() == 10 && american(rest),
            _ => (9..=15).contains(&digits.len()) && (divided || digits.len() >= 10),
        };
    }
    let ten = [
        "(ddd) ddd-dddd",
        "(ddd)ddd-dddd",
        "ddd-ddd-dddd",
        "ddd.ddd.dddd",
    ];
    let eleven = ["d-ddd-ddd-dddd", "d (ddd) ddd-dddd", "d.ddd.ddd.dddd"];
    (ten.contains(&shape) && american(digits))
        || (eleven.contains(&shape) && digits[0] == 1 && american(&digits[1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[(PersonalKind, &str)]) {
        let found: Vec<(PersonalKind, &str)> = personal(text)
            .into_iter()
            .map(|(kind, range)| (kind, &text[range]))
            .collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn what_is_personal_is_found() {
        use PersonalKind::*;
        check(
            "Write to ada.l+x@mail.acme.co.uk.",
            &[(Email, "ada.l+x@mail.acme.co.uk")],
        );
        check(
            "call +49 30 9018-2010, or (212) 736-5000",
            &[(Phone, "+49 30 9018-2010"), (Phone, "(212) 736-5000")],
        );
        check("1-800-221-1212", &[(Phone, "1-800-221-1212")]);
        check(
            "IBAN DE89 3704 0044 0532 0130 00.",
            &[(Iban, "DE89 3704 0044 0532 0130 00")],
        );
        check(
            "to GB29NWBK60161331926819",
            &[(Iban, "GB29NWBK60161331926819")],
        );
        check(
            "card 4111 1111 1111 1111, exp",
            &[(Card, "4111 1111 1111 1111")],
        );
        check("378282246310005", &[(Card, "378282246310005")]);
        check(
            "from 81.2.69.142:443 and 2a02:2e0:3fe:1001:7777:772e:2:85.",
            &[
                (Ip, "81.2.69.142:443"),
                (Ip, "2a02:2e0:3fe:1001:7777:772e:2:85"),
            ],
        );
        check("SSN 536-22-8714", &[(SocialSecurity, "536-22-8714")]);
        check(
            "key AKIAIOSFODNN7EXAMPL3 here",
            &[(Secret, "AKIAIOSFODNN7EXAMPL3")],
        );
        check(
            "\"password\": \"hunter2hunter2\"",
            &[(Secret, "hunter2hunter2")],
        );
        check(
            "-----BEGIN RSA PRIVATE KEY-----\nMII",
            &[(Secret, "-----BEGIN RSA PRIVATE KEY-----")],
        );
    }

    #[test]
    fn what_is_set_off_is_found() {
        use PersonalKind::*;
        check("**(212) 736-5000**", &[(Phone, "(212) 736-5000")]);
        check("<b>212-736-5000</b>", &[(Phone, "212-736-5000")]);
        check("card = 4111111111111111", &[(Card, "4111111111111111")]);
    }

    #[test]
    fn what_only_looks_like_it_is_not() {
        for text in [
            "user@example.com, me@localhost, a@b, foo@2x.png2, @handle, name@test.org",
            "IBAN DE89 3704 0044 0532 0130 01",
            "4111 1111 1111 1112, 0000 0000 0000 0000, 1234567890123456",
            "10.0.0.1 192.168.1.4 127.0.0.1 1.2.3.4 v81.2.69.142 0.0.0.0 192.0.2.7",
            "2001:db8::1 ::1 fe80::1 12:30:45:10",
            "(212) 555-0123, 2024-01-15, 3-4-5, 1,234,567, 12/05/2023, 978-3-16-148410-0",
            "000-12-3456, 666-12-3456, 536-00-8714, 219-09-9999",
            "password: required, secret = somewhere, api_key: your-key-here, pwd=",
            "sk-learn, ghp_short, AKIAAAAAAAAAAAAAAAAA",
            "$4111111111111111, x4111111111111111y, #536-22-8714",
            "ISBN 9780306406157; pages 100-200; 3.14159265358979; 1 000 000 000 000",
            "+1 and +2 are 3; a+49 30 9018 2010",
            "256626720691 + 1646615806005, 256626720691 +1646615806005, 2 * 4111111111111111 = 8222222222222222",
            "yourname@yourdomain.com, someone@yourcompany.com",
        ] {
            check(text, &[]);
        }
    }

    proptest::proptest! {
        /// Any text can be looked at, and what is found lies in it, in order.
        #[test]
        fn any_text_can_be_looked_at(text in "[0-9A-Z@.:+() \\-äa-z=]{0,60}") {
            let mut end = 0;
            for (_, range) in personal(&text) {
                proptest::prop_assert!(range.start >= end && !text[range.clone()].is_empty());
                end = range.end;
            }
        }

        /// A number with one digit changed is no card and no account: both checks catch
        /// every single mistake.
        #[test]
        fn one_wrong_digit_is_seen(place in 0_usize..16, add in 1_u8..10) {
            let mut card = *b"4111111111111111";
            card[place] = b'0' + (card[place] - b'0' + add) % 10;
            let card = String::from_utf8_lossy(&card).into_owned();
            proptest::prop_assert!(personal(&card).iter().all(|(kind, _)| *kind != PersonalKind::Card));
        }
    }
}
