//! Words: what a text is cut into before it is indexed, asked for or highlighted.
//!
//! A word is a run of letters, digits and their marks in any script, in lower case
//! and in Unicode's compatible form (so the ligature `ﬁ` of a PDF is `fi`).
//! Names in code and technical text are found whole and by their parts:
//! `refresh_package`, `refresh-package`, `RefreshPackage` and `refresh.package` all
//! give `refresh`, `package` and the joined `refreshpackage`; so `e-mail` finds
//! `email`. Flags keep their dashes as one more word (`--refresh`), and so do
//! `c++` and `c#`. In scripts written without spaces each character and the one
//! after it make a word, as does the last character of a run by itself; then every
//! character starts exactly one word, and a single character is found by prefix.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longer words are cut here: they are hashes and encoded data, not language.
const LONGEST: usize = 64;

/// One word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word<'a> {
    /// The word, lower-cased and normalised, not stemmed.
    pub text: &'a str,
    /// Where it stands in the text.
    pub bytes: Range<usize>,
    /// What it is.
    pub kind: WordKind,
}

/// What a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordKind {
    /// A word of its own, or a part of a joined one.
    Plain,
    /// A joined word (`refresh-package`) whose parts came before it.
    Joined,
    /// Two neighbouring characters of a script without spaces.
    Pair,
    /// The last character of a run in such a script; `alone` if it is the first too.
    Last {
        /// Whether the run is this one character.
        alone: bool,
    },
}

/// Calls `each` for every word of `text`, in order.
pub fn for_each_word(text: &str, each: &mut dyn FnMut(Word<'_>)) {
    let mut cutter = Cutter {
        text,
        buffer: String::new(),
        each,
    };
    cutter.cut();
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Break,
    Letter,
    Paired,
}

fn class(c: char) -> Class {
    if c.is_ascii() {
        return if c.is_ascii_alphanumeric() {
            Class::Letter
        } else {
            Class::Break
        };
    }
    match c {
        // Thai, Lao, Myanmar, Khmer.
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        // Hangul jamo.
        | '\u{1100}'..='\u{11ff}' | '\u{3130}'..='\u{318f}' | '\u{ac00}'..='\u{d7ff}'
        // Iteration mark, Hiragana, Katakana (and its half-width form), Bopomofo.
        | '\u{3005}' | '\u{3041}'..='\u{30ff}' | '\u{3100}'..='\u{312f}'
        | '\u{31a0}'..='\u{31ff}' | '\u{ff66}'..='\u{ff9f}'
        // Han.
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => {
            if c == '\u{30fb}' || c == '\u{e3f}' || !(c.is_alphanumeric() || is_combining_mark(c)) {
                Class::Break
            } else {
                Class::Paired
            }
        }
        // The soft hyphen and the joiners are part of the word and dropped from it.
        '\u{ad}' | '\u{200c}' | '\u{200d}' => Class::Letter,
        _ if c.is_alphanumeric() || is_combining_mark(c) => Class::Letter,
        _ => Class::Break,
    }
}

struct Cutter<'a> {
    text: &'a str,
    buffer: String,
    each: &'a mut dyn FnMut(Word<'_>),
}

impl Cutter<'_> {
    fn cut(&mut self) {
        let mut at = 0;
        let mut runs: Vec<Range<usize>> = Vec::new();
        while let Some(c) = self.text[at..].chars().next() {
            match class(c) {
                Class::Break => at += c.len_utf8(),
                Class::Paired => at = self.pairs(at),
                Class::Letter => {
                    runs.clear();
                    at = self.runs(at, &mut runs);
                    self.compound(&runs);
                }
            }
        }
    }

    /// Emits the pairs of the run at `start`; returns where the run ends.
    fn pairs(&mut self, start: usize) -> usize {
        let mut before: Option<usize> = None;
        let mut end = start;
        for c in self.text[start..].chars() {
            if class(c) != Class::Paired {
                break;
            }
            let at = end;
            end += c.len_utf8();
            if let Some(before) = before {
                self.emit(before..end, WordKind::Pair);
            }
            before = Some(at);
        }
        let last = before.expect("a run has at least one character");
        self.emit(
            last..end,
            WordKind::Last {
                alone: last == start,
            },
        );
        end
    }

    /// Finds the runs of letters that are joined, from `start`; returns where they end.
    fn runs(&self, start: usize, runs: &mut Vec<Range<usize>>) -> usize {
        let bytes = self.text.as_bytes();
        let mut from = start;
        loop {
            let mut end = from;
            while end < bytes.len() {
                if bytes[end].is_ascii() {
                    if !bytes[end].is_ascii_alphanumeric() {
                        break;
                    }
                    end += 1;
                } else {
                    let c = self.text[end..].chars().next().expect("a character");
                    if class(c) != Class::Letter {
                        break;
                    }
                    end += c.len_utf8();
                }
            }
            runs.push(from..end);
            let mut rest = self.text[end..].chars();
            let (Some(joint), Some(next)) = (rest.next(), rest.next()) else {
                return end;
            };
            let joins = match joint {
                '_' | '-' | '.' | '\'' | '’' | '\u{2010}' | '\u{2011}' => true,
                ',' => bytes[end - 1].is_ascii_digit() && next.is_ascii_digit(),
                _ => false,
            };
            if !joins || class(next) != Class::Letter {
                return end;
            }
            from = end + joint.len_utf8();
        }
    }

    /// Emits the parts of a compound, and the whole of it if it has several.
    fn compound(&mut self, runs: &[Range<usize>]) {
        let mut parts: usize = 0;
        let mut joined = String::new();
        for (index, run) in runs.iter().enumerate() {
            // `l'homme`, `uv's`, `don't`: what is cut off by an apostrophe and is
            // this short is no word.
            let apostrophe = |at: usize| {
                let joint = self.text[at..].chars().next();
                matches!(joint, Some('\'' | '’'))
            };
            let head = index + 1 < runs.len()
                && apostrophe(run.end)
                && (run.len() == 1 || self.text[run.clone()].eq_ignore_ascii_case("qu"));
            let tail = index > 0 && apostrophe(runs[index - 1].end) && run.len() <= 2;
            let elided = head || tail;
            if elided {
                continue;
            }
            if parts > 0 && joined.len() <= LONGEST {
                let digits = joined.ends_with(|c: char| c.is_ascii_digit())
                    && self.text.as_bytes()[run.start].is_ascii_digit();
                if digits && self.text.as_bytes()[run.start - 1] == b'.' {
                    joined.push('.');
                }
            }
            if runs.len() > 1 && joined.len() <= LONGEST {
                joined.push_str(&self.text[run.clone()]);
            }
            parts += self.camel(run.clone());
        }
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
            return;
        };
        let whole = first.start..last.end;
        if parts > 1 {
            if runs.len() == 1 {
                self.emit(whole.clone(), WordKind::Joined);
            } else if joined.len() <= LONGEST {
                self.emit_as(&joined, whole.clone(), WordKind::Joined);
            }
        }
        if parts == 0 {
            return;
        }
        self.flag(
            if joined.is_empty() {
                None
            } else {
                Some(joined)
            },
            whole,
        );
    }

    /// Emits the parts of `NamesLikeThis`; returns how many there are.
    fn camel(&mut self, run: Range<usize>) -> usize {
        let word = &self.text[run.clone()];
        let upper_inside = word.bytes().skip(1).any(|b| b.is_ascii_uppercase());
        if !upper_inside || !word.is_ascii() || word.len() > LONGEST {
            self.emit(run, WordKind::Plain);
            return 1;
        }
        let bytes = word.as_bytes();
        let (mut parts, mut from) = (0, 0);
        for at in 1..bytes.len() {
            let upper = bytes[at].is_ascii_uppercase();
            let after_lower = !bytes[at - 1].is_ascii_uppercase();
            let before_lower = bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase);
            if upper && (after_lower || before_lower) {
                self.emit(run.start + from..run.start + at, WordKind::Plain);
                from = at;
                parts += 1;
            }
        }
        self.emit(run.start + from..run.end, WordKind::Plain);
        parts + 1
    }

    /// Emits `--flag`, `-f`, `c++` and `c#` as words of their own.
    fn flag(&mut self, joined: Option<String>, whole: Range<usize>) {
        let (before, after) = (&self.text[..whole.start], &self.text[whole.end..]);
        let dashes = before.len() - before.trim_end_matches('-').len();
        let open = before[..before.len() - dashes]
            .chars()
            .next_back()
            .is_none_or(|c| class(c) == Class::Break && c != '_' && c != '.');
        let name = joined.unwrap_or_else(|| self.text[whole.clone()].into());
        if (dashes == 1 || dashes == 2) && open && name.len() <= LONGEST {
            let flag = format!("{}{name}", &"--"[..dashes]);
            self.emit_as(&flag, whole.start - dashes..whole.end, WordKind::Joined);
            return;
        }
        let suffix = if after.starts_with("++") {
            "++"
        } else if after.starts_with('#') {
            "#"
        } else {
            return;
        };
        let closed = after[suffix.len()..]
            .chars()
            .next()
            .is_none_or(|c| class(c) == Class::Break);
        if closed && whole.len() <= 2 {
            let name = format!("{name}{suffix}");
            self.emit_as(
                &name,
                whole.start..whole.end + suffix.len(),
                WordKind::Joined,
            );
        }
    }

    fn emit(&mut self, bytes: Range<usize>, kind: WordKind) {
        let text = self.text;
        self.emit_as(&text[bytes.clone()], bytes, kind);
    }

    fn emit_as(&mut self, word: &str, bytes: Range<usize>, kind: WordKind) {
        self.buffer.clear();
        if word.is_ascii() {
            self.buffer.push_str(&word[..word.len().min(LONGEST)]);
            self.buffer.make_ascii_lowercase();
        } else {
            let kept = word
                .nfkc()
                .filter(|c| !matches!(c, '\u{ad}' | '\u{200c}' | '\u{200d}'))
                .collect::<String>();
            // Lower case may open a composed letter again (`İ`): compose once more.
            for c in kept.to_lowercase().nfkc() {
                if self.buffer.len() + c.len_utf8() > LONGEST {
                    break;
                }
                self.buffer.push(c);
            }
        }
        if !self.buffer.is_empty() {
            (self.each)(Word {
                text: &self.buffer,
                bytes,
                kind,
            });
        }
    }
}

/// Returns `term` without its accents, if it has any: `café` is found by `cafe`.
///
/// Done after stemming, for the stemmers read accents. Marks are taken from Latin
/// and Greek letters only; in Cyrillic `ё` becomes `е` and `й` stays.
pub(super) fn fold(term: &str) -> Option<String> {
    if term.is_ascii() {
        return None;
    }
    let mut folded = String::with_capacity(term.len());
    for c in term.chars() {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' => folded.push('d'),
            'ı' => folded.push('i'),
            'ё' => folded.push('е'),
            '\u{c0}'..='\u{3ff}' | '\u{1e00}'..='\u{1fff}' => folded.extend(
                std::iter::once(c)
                    .nfd()
                    .filter(|c| !('\u{300}'..='\u{36f}').contains(c)),
            ),
            _ => folded.push(c),
        }
    }
    (folded != term && !folded.is_empty()).then_some(folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each_word(text, &mut |word| words.push(word.text.to_owned()));
        words
    }

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(words(text), expect, "{text}");
    }

    #[test]
    fn plain_words() {
        check("The Quick, brown fox!", &["the", "quick", "brown", "fox"]);
        check("", &[]);
        check("ÉTÉ Straße ΑΣ", &["été", "straße", "ας"]);
        check(
            "e\u{301}te\u{301} o\u{fb03}ce so\u{ad}ft",
            &["été", "office", "soft"],
        );
    }

    #[test]
    fn names_are_found_whole_and_by_part() {
        check("refresh_package", &["refresh", "package", "refreshpackage"]);
        check("refresh-package", &["refresh", "package", "refreshpackage"]);
        check("RefreshPackage", &["refresh", "package", "refreshpackage"]);
        check("HTTPServer2", &["http", "server2", "httpserver2"]);
        check("pyproject.toml.", &["pyproject", "toml", "pyprojecttoml"]);
        check("version 3.12.1", &["version", "3", "12", "1", "3.12.1"]);
        check("1,000", &["1", "000", "1000"]);
        check("U.S.", &["u", "s", "us"]);
    }

    #[test]
    fn flags_keep_their_dashes() {
        check("--refresh", &["refresh", "--refresh"]);
        check(
            "`--refresh-package x`",
            &[
                "refresh",
                "package",
                "refreshpackage",
                "--refreshpackage",
                "x",
            ],
        );
        check("-f", &["f", "-f"]);
        check("one--two ---three", &["one", "two", "three"]);
        check("C++ and C#.", &["c", "c++", "and", "c", "c#"]);
    }

    #[test]
    fn what_an_apostrophe_cuts_off_is_no_word() {
        check("l'homme uv's don’t", &["homme", "uv", "don"]);
        check("rock 'n' roll", &["rock", "n", "roll"]);
    }

    #[test]
    fn scripts_without_spaces_give_pairs() {
        check("水道局", &["水道", "道局", "局"]);
        check("水", &["水"]);
        check("東京tower", &["東京", "京", "tower"]);
        check("한국어", &["한국", "국어", "어"]);
    }

    #[test]
    fn accents_fold() {
        assert_eq!(fold("café").as_deref(), Some("cafe"));
        assert_eq!(fold("straße").as_deref(), Some("strasse"));
        assert_eq!(fold("йод"), None);
        assert_eq!(fold("水道"), None);
    }

    proptest! {
        #[test]
        fn words_stand_where_they_say(text in "(\\PC|[a-zA-Z_.'’-]){0,40}") {
            for_each_word(&text, &mut |word| {
                assert!(text.get(word.bytes.clone()).is_some());
                assert!(!word.text.is_empty() && word.text.len() <= LONGEST + 2);
            });
        }
    }
}
