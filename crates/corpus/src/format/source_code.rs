//! Source code: the file as written, cut where its items begin.
//!
//! Items are found by how their first line begins and how far it is indented,
//! which every formatter keeps; no grammar is parsed. A wrong guess costs a
//! heading, never a byte of text.

use crate::ReadError;
use crate::format::plain;
use crate::outline::{Mark, one_line};
use crate::read::{Drafts, Source};

/// A family of programming languages whose items begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Rust,
    Python,
    /// JavaScript and TypeScript.
    Script,
    Go,
    /// Java, Kotlin, C#, Scala, Swift, Dart, PHP: classes with members.
    Classes,
    /// C, C++ and their like.
    C,
    Shell,
    /// Any other: cut at blank lines and indentation alone.
    Other,
}

impl Language {
    /// Returns the language of a file by its extension (in lower case) and name.
    pub(crate) fn of(extension: &str, name: &str) -> Option<Self> {
        Some(match extension {
            "rs" => Self::Rust,
            "py" | "pyi" | "pyx" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" | "vue" | "svelte" => {
                Self::Script
            }
            "go" => Self::Go,
            "java" | "kt" | "kts" | "cs" | "scala" | "swift" | "dart" | "php" | "groovy" => {
                Self::Classes
            }
            "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "cu" | "cuh" | "m" | "mm" => {
                Self::C
            }
            "sh" | "bash" | "zsh" | "fish" => Self::Shell,
            "rb" | "pl" | "pm" | "lua" | "r" | "jl" | "ex" | "exs" | "erl" | "hs" | "ml"
            | "mli" | "clj" | "el" | "lisp" | "scm" | "zig" | "nim" | "d" | "f90" | "pas"
            | "sql" | "proto" | "graphql" | "tf" | "cmake" | "css" | "scss" | "less" | "ps1"
            | "bat" | "asm" | "s" | "v" | "vhd" | "sol" => Self::Other,
            "" if matches!(name, "Makefile" | "Dockerfile" | "Justfile" | "Rakefile") => {
                Self::Other
            }
            _ => return None,
        })
    }

    /// Returns the short name of a file of this language that has no extension.
    pub(crate) fn short_name(self) -> &'static str {
        match self {
            Self::Rust => "rs",
            Self::Python => "py",
            Self::Script => "js",
            Self::Go => "go",
            Self::Classes => "java",
            Self::C => "c",
            Self::Shell => "sh",
            Self::Other => "code",
        }
    }

    /// Returns what a line (without its indentation) begins.
    fn item(self, line: &str) -> Item {
        let word = first_word(line);
        match self {
            Self::Rust => match first_word(after_words(
                line,
                &["pub", "default", "const", "async", "unsafe", "extern"],
            )) {
                "impl" | "trait" | "mod" if !line.ends_with(';') => Item::Container,
                "fn" | "struct" | "enum" | "union" | "type" | "static" | "macro_rules" => {
                    Item::Leaf
                }
                _ => Item::None,
            },
            Self::Python => match first_word(after_words(line, &["async"])) {
                "class" => Item::Container,
                "def" => Item::Leaf,
                _ => Item::None,
            },
            Self::Script => {
                let rest = after_words(
                    line,
                    &[
                        "export",
                        "default",
                        "declare",
                        "abstract",
                        "async",
                        "static",
                        "public",
                        "private",
                        "protected",
                        "readonly",
                        "override",
                    ],
                );
                match first_word(rest) {
                    "class" | "interface" | "namespace" => Item::Container,
                    "function" | "enum" | "type" => Item::Leaf,
                    "const" | "let" | "var" if rest.contains("=>") || rest.contains("function") => {
                        Item::Leaf
                    }
                    "if" | "for" | "while" | "switch" | "return" | "catch" | "else" => Item::None,
                    _ if rest.ends_with('{') && is_call_like(rest) => Item::Member,
                    _ => Item::None,
                }
            }
            Self::Go => match word {
                "func" | "type" => Item::Leaf,
                _ => Item::None,
            },
            Self::Classes => {
                let rest = after_words(
                    line,
                    &[
                        "public",
                        "private",
                        "protected",
                        "internal",
                        "static",
                        "final",
                        "abstract",
                        "sealed",
                        "override",
                        "open",
                        "data",
                        "partial",
                        "async",
                        "virtual",
                        "export",
                        "readonly",
                        "mutating",
                        "suspend",
                        "inline",
                        "case",
                    ],
                );
                match first_word(rest) {
                    "class" | "interface" | "enum" | "record" | "struct" | "object" | "trait"
                    | "namespace" | "extension" | "protocol" => Item::Container,
                    "func" | "fun" | "def" | "function" => Item::Leaf,
                    "if" | "for" | "while" | "switch" | "return" | "catch" | "else" | "try"
                    | "do" | "new" | "throw" | "synchronized" | "foreach" | "using" => Item::None,
                    _ if rest.ends_with('{') && is_call_like(rest) => Item::Member,
                    _ => Item::None,
                }
            }
            Self::C => match word {
                "class" | "namespace" if !line.ends_with(';') => Item::Container,
                "struct" | "union" | "enum" | "typedef" | "template" if !line.ends_with(';') => {
                    Item::Leaf
                }
                "if" | "for" | "while" | "switch" | "return" | "else" | "do" => Item::None,
                _ if !line.ends_with(';') && is_call_like(line) => Item::Leaf,
                _ => Item::None,
            },
            Self::Shell => {
                if word == "function" || line.trim_end_matches([' ', '{']).ends_with("()") {
                    Item::Leaf
                } else {
                    Item::None
                }
            }
            Self::Other => Item::None,
        }
    }
}

/// What a line begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    None,
    /// An item without items of its own.
    Leaf,
    /// An item only within a container (a method without a keyword).
    Member,
    /// An item with items of its own.
    Container,
}

/// Reads source code.
pub(crate) fn read(source: Source<'_>, language: Language) -> Result<Drafts, ReadError> {
    let mut draft = plain::draft(source)?;
    draft.marks = items(&draft.text, language);
    Ok(draft.into())
}

/// Returns where items begin, the comments and attributes above them included.
fn items(text: &str, language: Language) -> Vec<Mark> {
    struct Open {
        indentation: usize,
        container: bool,
    }
    let mut marks: Vec<Mark> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    // Where the comments and attributes begin that stand right above this line.
    let mut attached: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len();
        let content = line.trim_end();
        let body = content.trim_start();
        let indentation = content.len() - body.len();
        if body.is_empty() {
            attached = None;
            continue;
        }
        if is_attached(body, language) {
            attached.get_or_insert(start);
            continue;
        }
        if body.starts_with(['}', ')', ']', '{', '>']) || body.starts_with("where") {
            attached = None;
            continue;
        }
        let item = language.item(body);
        let above = open
            .iter()
            .rposition(|outer| outer.indentation < indentation)
            .map_or(0, |outer| outer + 1);
        let inside = above.checked_sub(1).map(|outer| &open[outer]);
        let allowed = match (item, inside) {
            (Item::None, _) => false,
            (Item::Member, inside) => inside.is_some_and(|outer| outer.container),
            (_, Some(outer)) => outer.container,
            (_, None) => indentation == 0,
        };
        let begin = attached.take().unwrap_or(start);
        if allowed {
            open.truncate(above);
            marks.push(Mark {
                at: begin,
                level: open.len() + 1,
                title: signature(body),
            });
            open.push(Open {
                indentation,
                container: item == Item::Container,
            });
        } else if above < open.len() {
            // A line that belongs to what encloses the items before it.
            open.truncate(above);
            marks.push(Mark {
                at: begin,
                level: above + 1,
                title: String::new(),
            });
        }
    }
    marks
}

/// Returns whether a line belongs to the item below it: a comment, an attribute,
/// a decorator.
fn is_attached(body: &str, language: Language) -> bool {
    match language {
        Language::Python | Language::Shell => body.starts_with(['#', '@']),
        Language::C => ["//", "/*", "*", "template"]
            .iter()
            .any(|mark| body.starts_with(mark)),
        _ => ["//", "/*", "*", "#[", "@"]
            .iter()
            .any(|mark| body.starts_with(mark)),
    }
}

/// Returns an item's first line without its body.
fn signature(body: &str) -> String {
    let end = body.find('{').unwrap_or(body.len());
    let line = one_line(&body[..end]);
    let line = line.trim_end_matches([' ', ':', '=', '>', ';']);
    let line = line.strip_suffix('(').unwrap_or(line);
    if line.is_empty() {
        one_line(body)
    } else {
        line.to_owned()
    }
}

/// Returns whether a line has a name with an argument list, `name(`, and is no
/// assignment: a function's head in languages without a keyword for it.
fn is_call_like(line: &str) -> bool {
    let Some(open) = line.find('(') else {
        return false;
    };
    let name = line[..open].trim_end();
    !name.contains(['=', '"', '.', '#', '&', '|', '!'])
        && name.ends_with(|letter: char| letter.is_alphanumeric() || letter == '_')
}

fn first_word(line: &str) -> &str {
    let end = line
        .find(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .unwrap_or(line.len());
    &line[..end]
}

/// Returns `line` after those of `words` with which it begins; `pub(crate)` and
/// `extern "C"` count as their first word.
fn after_words<'a>(mut line: &'a str, words: &[&str]) -> &'a str {
    loop {
        let word = first_word(line);
        if word.is_empty() || !words.contains(&word) {
            return line;
        }
        let mut rest = line[word.len()..].trim_start();
        if word == "pub" && rest.starts_with('(') {
            rest = rest
                .split_once(')')
                .map_or("", |(_, after)| after)
                .trim_start();
        }
        if word == "extern" && rest.starts_with('"') {
            rest = rest[1..]
                .split_once('"')
                .map_or("", |(_, after)| after)
                .trim_start();
        }
        // `const NAME` is an item of its own, `const fn` is not.
        line = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::sections;

    fn check(language: Language, text: &str, expect: &[(&str, &str)]) {
        let found: Vec<_> = sections(text, &items(text, language))
            .iter()
            .map(|section| {
                let first = text[section.bytes.clone()].lines().next().unwrap_or("");
                (section.headings.join(" / "), first.to_owned())
            })
            .collect();
        let found: Vec<_> = found
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(found, expect);
    }

    #[test]
    fn rust_items_are_found() {
        check(
            Language::Rust,
            "//! About.\n\nuse a::b;\n\n/// Does.\n#[inline]\npub(crate) fn one(\n    x: u8,\n) -> u8 {\n    x\n}\n\nimpl<T> Two for T {\n    /// In it.\n    fn three(&self) {\n        fn inner() {}\n    }\n}\n\nconst FOUR: u8 = 4;\n",
            &[
                ("", "//! About."),
                ("pub(crate) fn one", "/// Does."),
                ("impl<T> Two for T", "impl<T> Two for T {"),
                ("impl<T> Two for T / fn three(&self)", "    /// In it."),
                ("", "const FOUR: u8 = 4;"),
            ],
        );
    }

    #[test]
    fn python_items_are_found() {
        check(
            Language::Python,
            "import os\n\n@cached\ndef one(x):\n    if x:\n        def inner(): pass\n    return x\n\nclass Two(Base):\n    async def three(self):\n        pass\n\nprint(one(1))\n",
            &[
                ("", "import os"),
                ("def one(x)", "@cached"),
                ("class Two(Base)", "class Two(Base):"),
                (
                    "class Two(Base) / async def three(self)",
                    "    async def three(self):",
                ),
                ("", "print(one(1))"),
            ],
        );
    }

    #[test]
    fn other_languages_are_known() {
        check(
            Language::Script,
            "import x from 'x';\nexport const one = (a) => {\n  return a;\n};\nclass Two {\n  three(a) {\n    if (a) {\n    }\n  }\n}\n",
            &[
                ("", "import x from 'x';"),
                ("export const one = (a)", "export const one = (a) => {"),
                ("class Two", "class Two {"),
                ("class Two / three(a)", "  three(a) {"),
            ],
        );
        check(
            Language::Go,
            "package a\n\n// One does.\nfunc (s *S) One() error {\n\treturn nil\n}\n",
            &[
                ("", "package a"),
                ("func (s *S) One() error", "// One does."),
            ],
        );
        check(
            Language::Classes,
            "package a;\n\npublic class One {\n    private int x;\n\n    public int two(int a) {\n        while (a > 0) {\n        }\n    }\n}\n",
            &[
                ("", "package a;"),
                ("public class One", "public class One {"),
                (
                    "public class One / public int two(int a)",
                    "    public int two(int a) {",
                ),
            ],
        );
        check(
            Language::C,
            "#include <a.h>\n\nstatic int one(int a)\n{\n    return two(a);\n}\n\nvoid three(void);\n",
            &[
                ("", "#include <a.h>"),
                ("static int one(int a)", "static int one(int a)"),
                ("", "void three(void);"),
            ],
        );
        check(
            Language::Shell,
            "#!/bin/sh\nset -e\none() {\n  echo hi\n}\none\n",
            &[("", "#!/bin/sh"), ("one()", "one() {"), ("", "one")],
        );
    }
}
