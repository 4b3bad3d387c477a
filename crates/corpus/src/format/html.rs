//! HTML: its main content as text.
//!
//! The tokenizer is the browsers' own (WHATWG); the tree is not built. A stack of
//! open elements is enough to know what stands inside navigation, a cookie
//! banner or the article, and a page nested a million deep costs only time.

use html5gum::{HtmlString, StartTag, Token, Tokenizer};

use crate::ReadError;
use crate::encoding::decode_markup;
use crate::outline::{Outline, one_line};
use crate::read::{Draft, Drafts, Source};

/// Reads an HTML file.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let decoded = decode_markup(std::mem::take(&mut source.bytes), source.file)?;
    let mut draft = page(&decoded.text);
    if let Some(encoding) = decoded.encoding {
        draft.note("encoding", encoding);
    }
    Ok(draft.into())
}

/// Returns the main content of a page: what stands in `<main>`, else in
/// `<article>`, else all that does not look like clutter, else everything; a scope
/// with next to nothing in it is passed over.
pub(crate) fn page(html: &str) -> Draft {
    let whole = extract(html, Scope::Everything);
    let enough = (whole.outline.text.len() / 5).max(1);
    let mut found = [Scope::Main, Scope::Article, Scope::Page]
        .into_iter()
        .map(|scope| extract(html, scope))
        .find(|page| page.outline.text.len() >= enough)
        .unwrap_or(whole);
    while found.outline.text.ends_with("\n\n") {
        found.outline.text.pop();
    }
    let mut draft = Draft {
        title: found.first_heading.take().or(found.title.take()),
        text: found.outline.text,
        marks: found.outline.marks,
        ..Draft::default()
    };
    for (key, value) in found.facts {
        draft.note(key, &value);
    }
    draft
}

/// Returns a fragment (a mail's body, a chapter) put into `outline`, its headings
/// `below` levels deeper.
pub(crate) fn push_fragment(html: &str, outline: &mut Outline, below: usize) -> Option<String> {
    let mut page = Page::new(Scope::Everything);
    page.below = below;
    page.outline = std::mem::take(outline);
    page.run(html);
    *outline = page.outline;
    page.first_heading.or(page.title)
}

/// Returns the words of a fragment on one line.
pub(crate) fn words(html: &str) -> String {
    let mut outline = Outline::default();
    push_fragment(html, &mut outline, 0);
    one_line(&outline.text)
}

/// Which part of a page is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Main,
    Article,
    /// The page without what its classes call clutter.
    Page,
    /// The page without what its tags call clutter.
    Everything,
}

fn extract(html: &str, scope: Scope) -> Page {
    let mut page = Page::new(scope);
    page.run(html);
    page
}

/// An element that is open.
struct Open {
    name: HtmlString,
    /// Whether it is the scope's root.
    root: bool,
    /// How many elements around it are left out: what is around a root does not
    /// count within it, because some pages call their frame `nav`.
    dropped_around: usize,
}

/// The rows of a table, while it is open.
#[derive(Default)]
struct Table {
    columns: Vec<String>,
    /// The cells of the row, and whether each is a heading.
    row: Vec<(String, bool)>,
}

struct Page {
    scope: Scope,
    below: usize,
    open: Vec<Open>,
    dropped: usize,
    roots: usize,
    articles: usize,
    outline: Outline,
    /// The words of the paragraph, heading or cell that is open.
    words: String,
    /// Open `<pre>` elements: white space in them is kept.
    preformatted: usize,
    lists: usize,
    /// What the next paragraph begins with (`- `).
    bullet: Option<String>,
    tables: Vec<Table>,
    /// Open tables that are nested too deeply to be tables.
    inner_tables: usize,
    title: Option<String>,
    in_title: bool,
    first_heading: Option<String>,
    facts: Vec<(&'static str, String)>,
}

/// How far the stack of open elements is searched for a start tag.
const SEARCH: usize = 256;

/// How deep tables are nested; the rows of those deeper still are rows of the
/// table around them, because each level copies what is within it.
const NESTED_TABLES: usize = 4;

impl Page {
    fn new(scope: Scope) -> Self {
        Self {
            scope,
            below: 0,
            open: Vec::new(),
            dropped: 0,
            roots: 0,
            articles: 0,
            outline: Outline::default(),
            words: String::new(),
            preformatted: 0,
            lists: 0,
            bullet: None,
            tables: Vec::new(),
            inner_tables: 0,
            title: None,
            in_title: false,
            first_heading: None,
            facts: Vec::new(),
        }
    }

    fn run(&mut self, html: &str) {
        for token in Tokenizer::new(html).flatten() {
            match token {
                Token::StartTag(tag) => self.start(&tag),
                Token::EndTag(tag) => self.end(&tag.name),
                Token::String(text) => self.text(&String::from_utf8_lossy(&text)),
                _ => {}
            }
        }
        // What was never closed ends with the file.
        while let Some(open) = self.open.pop() {
            self.close(&open);
        }
        self.flush();
    }

    fn wanted(&self) -> bool {
        self.dropped == 0
            && (matches!(self.scope, Scope::Page | Scope::Everything) || self.roots > 0)
    }

    fn start(&mut self, tag: &StartTag<()>) {
        let name: &[u8] = &tag.name;
        if name == b"meta" {
            self.meta(tag);
        }
        if name == b"title" && self.title.is_none() && self.open_named(b"svg").is_none() {
            self.in_title = true;
            self.words.clear();
        }
        // Elements that close themselves when their like begins.
        let closes: &[&[u8]] = match name {
            b"li" => &[b"li"],
            b"td" | b"th" => &[b"td", b"th"],
            b"tr" => &[b"td", b"th", b"tr"],
            b"p" | b"div" | b"ul" | b"ol" | b"table" | b"section" => &[b"p"],
            b"dt" | b"dd" => &[b"dt", b"dd"],
            b"option" => &[b"option"],
            _ => &[],
        };
        while let Some(last) = self.open.last()
            && closes.contains(&last.name.as_slice())
        {
            let name = last.name.clone();
            self.end(&name);
        }
        match name {
            b"br" if self.wanted() => self.words.push('\n'),
            b"hr" => self.flush(),
            _ => {}
        }
        if is_void(name) || tag.self_closing && !matches!(name, b"p" | b"div" | b"span" | b"a") {
            return;
        }
        let dropped = self.drops(tag);
        let root = match self.scope {
            Scope::Page | Scope::Everything => false,
            Scope::Main => name == b"main" || attribute(tag, b"role") == "main",
            Scope::Article => name == b"article",
        };
        if is_block(name) && self.wanted() {
            self.flush();
        }
        let dropped_around = self.dropped;
        if root && self.roots == 0 {
            self.dropped = 0;
        }
        self.dropped += usize::from(dropped);
        self.roots += usize::from(root);
        self.articles += usize::from(matches!(name, b"article" | b"main"));
        match name {
            b"pre" => self.preformatted += 1,
            b"ul" | b"ol" => self.lists += 1,
            b"li" if self.wanted() => {
                let indentation = "  ".repeat(self.lists.clamp(1, 8) - 1);
                self.bullet = Some(format!("{indentation}- "));
            }
            b"table" if self.tables.len() < NESTED_TABLES => self.tables.push(Table::default()),
            b"table" => self.inner_tables += 1,
            _ => {}
        }
        self.open.push(Open {
            name: tag.name.clone(),
            root,
            dropped_around,
        });
    }

    /// Returns how deep in the stack the last open element of this name is.
    fn open_named(&self, name: &[u8]) -> Option<usize> {
        let from = self.open.len().saturating_sub(SEARCH);
        self.open[from..]
            .iter()
            .rposition(|open| open.name.as_slice() == name)
            .map(|at| from + at)
    }

    fn end(&mut self, name: &HtmlString) {
        if name.as_slice() == b"title" && self.in_title {
            self.in_title = false;
            let title = one_line(&self.words);
            self.words.clear();
            self.title = Some(title).filter(|title| !title.is_empty());
        }
        let Some(at) = self.open_named(name) else {
            return;
        };
        while self.open.len() > at {
            let Some(open) = self.open.pop() else {
                return;
            };
            self.close(&open);
        }
    }

    fn close(&mut self, open: &Open) {
        let name: &[u8] = &open.name;
        if self.wanted() {
            match name {
                b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" if self.tables.is_empty() => {
                    let title = one_line(&std::mem::take(&mut self.words));
                    let title = title.trim_end_matches(['¶', '#', '\u{200b}']).trim();
                    self.bullet = None;
                    let level = usize::from(name[1] - b'0');
                    if level == 1 && self.first_heading.is_none() && !title.is_empty() {
                        self.first_heading = Some(title.to_owned());
                    }
                    self.outline.heading(level + self.below, title);
                }
                b"td" | b"th" | b"tr" if self.inner_tables > 0 => self.words.push(' '),
                b"td" | b"th" => {
                    let words = one_line(&std::mem::take(&mut self.words));
                    if let Some(table) = self.tables.last_mut() {
                        table.row.push((words, name == b"th"));
                    }
                }
                b"tr" => self.end_row(),
                _ if is_block(name) => self.flush(),
                _ => {}
            }
        }
        match name {
            b"pre" => self.preformatted = self.preformatted.saturating_sub(1),
            b"ul" | b"ol" => self.lists = self.lists.saturating_sub(1),
            b"li" => self.bullet = None,
            b"table" if self.inner_tables > 0 => self.inner_tables -= 1,
            b"table" => {
                self.tables.pop();
                if self.wanted() {
                    self.outline.blank_line();
                }
            }
            _ => {}
        }
        self.dropped = open.dropped_around;
        self.roots -= usize::from(open.root);
        self.articles -= usize::from(matches!(name, b"article" | b"main"));
    }

    fn text(&mut self, text: &str) {
        if self.in_title {
            self.words.push_str(text);
            return;
        }
        if !self.wanted() {
            return;
        }
        if self.preformatted > 0 {
            self.words.push_str(text);
            return;
        }
        for letter in text.chars() {
            if letter.is_whitespace() {
                if !self.words.is_empty() && !self.words.ends_with([' ', '\n']) {
                    self.words.push(' ');
                }
            } else if letter != '\u{ad}' && letter != '\u{200b}' {
                self.words.push(letter);
            }
        }
    }

    /// Ends the paragraph that is open. In a table's cell it goes on.
    fn flush(&mut self) {
        if self.in_title {
            return;
        }
        if !self.tables.is_empty() {
            if !self.words.is_empty() && !self.words.ends_with([' ', '\n']) {
                self.words.push(' ');
            }
            return;
        }
        let words = std::mem::take(&mut self.words);
        if self.preformatted > 0 {
            self.outline.paragraph(words.trim_matches('\n'));
            return;
        }
        let mut paragraph = String::with_capacity(words.len());
        for line in words.lines().map(str::trim).filter(|line| !line.is_empty()) {
            if !paragraph.is_empty() {
                paragraph.push('\n');
            }
            paragraph.push_str(line);
        }
        if paragraph.is_empty() {
            return;
        }
        match self.bullet.take() {
            Some(bullet) => {
                if bullet == "- " && !self.outline.text.ends_with('\n') {
                    self.outline.blank_line();
                }
                self.outline.line(&format!("{bullet}{paragraph}"));
            }
            None if self.lists > 0 => self.outline.line(&paragraph),
            None => self.outline.paragraph(&paragraph),
        }
    }

    /// Writes a table's row as a line: `column: value; …` below a row of headings,
    /// `heading: value` where only the first cell is a heading, `a | b` otherwise.
    fn end_row(&mut self) {
        let stray = one_line(&std::mem::take(&mut self.words));
        let Some(table) = self.tables.last_mut() else {
            return;
        };
        let row = std::mem::take(&mut table.row);
        let filled = row.iter().filter(|(words, _)| !words.is_empty()).count();
        let mut line = String::new();
        if filled > 1 && row.iter().all(|(_, heading)| *heading) {
            table.columns = row
                .iter()
                .map(|(words, _)| crate::outline::shorten(words))
                .collect();
            line = table.columns.join(" | ");
        } else if !table.columns.is_empty() && table.columns.len() == row.len() {
            super::table::push_row(
                &mut line,
                &table.columns,
                row.iter().map(|(words, _)| words.as_str()),
            );
        } else {
            for (number, (words, _)) in row.iter().filter(|(w, _)| !w.is_empty()).enumerate() {
                if number > 0 {
                    let heading = row.len() == 2 && row[0].1;
                    line.push_str(if heading { ": " } else { " | " });
                }
                line.push_str(words);
            }
        }
        if self.tables.len() > 1 {
            // A table in a cell of another is part of that cell.
            self.words = format!("{stray} {} ", line.trim_end());
        } else {
            self.outline.line(line.trim_end());
        }
    }

    /// Returns whether an element is none of the content.
    fn drops(&self, tag: &StartTag<()>) -> bool {
        let name: &[u8] = &tag.name;
        match name {
            b"script" | b"style" | b"noscript" | b"template" | b"svg" | b"nav" | b"aside"
            | b"button" | b"select" | b"iframe" | b"object" | b"math" | b"dialog" | b"footer" => {
                return true;
            }
            b"header" => return self.articles == 0,
            b"html" | b"body" | b"main" | b"article" => return false,
            _ => {}
        }
        if tag.attributes.contains_key(b"hidden".as_slice())
            || attribute(tag, b"aria-hidden") == "true"
            || attribute(tag, b"style")
                .replace(' ', "")
                .contains("display:none")
            || matches!(
                &*attribute(tag, b"role"),
                "navigation" | "banner" | "contentinfo" | "search" | "dialog" | "alertdialog"
            )
        {
            return true;
        }
        let wordy = |key| {
            let value = attribute(tag, key);
            value
                .split(|letter: char| !letter.is_ascii_alphanumeric())
                .any(is_clutter)
        };
        if self.scope == Scope::Everything {
            return false;
        }
        // Only containers: a heading may well have the class `menu-title`.
        matches!(
            name,
            b"div" | b"section" | b"ul" | b"ol" | b"table" | b"span" | b"sup" | b"p" | b"a"
        ) && (wordy(b"class") || wordy(b"id"))
    }

    fn meta(&mut self, tag: &StartTag<()>) {
        let mut key = attribute(tag, b"name");
        if key.is_empty() {
            key = attribute(tag, b"property");
        }
        let key = match key.as_str() {
            "author" | "article:author" => "author",
            "description" | "og:description" => "description",
            "date" | "article:published_time" | "dc.date" => "date",
            _ => return,
        };
        if !self.facts.iter().any(|(seen, _)| *seen == key) {
            self.facts.push((key, attribute(tag, b"content")));
        }
    }
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> String {
    tag.attributes
        .get(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .unwrap_or_default()
}

fn is_void(name: &[u8]) -> bool {
    matches!(
        name,
        b"area"
            | b"base"
            | b"br"
            | b"col"
            | b"embed"
            | b"hr"
            | b"img"
            | b"input"
            | b"link"
            | b"meta"
            | b"param"
            | b"source"
            | b"track"
            | b"wbr"
    )
}

fn is_block(name: &[u8]) -> bool {
    matches!(
        name,
        b"address"
            | b"article"
            | b"blockquote"
            | b"body"
            | b"caption"
            | b"dd"
            | b"details"
            | b"div"
            | b"dl"
            | b"dt"
            | b"fieldset"
            | b"figcaption"
            | b"figure"
            | b"form"
            | b"h1"
            | b"h2"
            | b"h3"
            | b"h4"
            | b"h5"
            | b"h6"
            | b"header"
            | b"html"
            | b"li"
            | b"main"
            | b"ol"
            | b"p"
            | b"pre"
            | b"section"
            | b"summary"
            | b"table"
            | b"ul"
            | b"center"
    )
}

/// Returns whether a word of a class or an id marks what is on every page.
fn is_clutter(word: &str) -> bool {
    const CLUTTER: [&str; 29] = [
        "ad",
        "ads",
        "advert",
        "banner",
        "breadcrumb",
        "breadcrumbs",
        "catlinks",
        "consent",
        "cookie",
        "cookies",
        "dropdown",
        "interlanguage",
        "editsection",
        "footer",
        "jump",
        "nav",
        "navbar",
        "navbox",
        "navigation",
        "newsletter",
        "noprint",
        "pagination",
        "popup",
        "printfooter",
        "sharing",
        "sidebar",
        "skip",
        "toc",
        "social",
    ];
    CLUTTER
        .iter()
        .any(|clutter| word.eq_ignore_ascii_case(clutter))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expect: &str) {
        assert_eq!(page(html).text, expect, "{html}");
    }

    #[test]
    fn only_the_content_is_taken() {
        check(
            "<html><head><title>Site</title><script>x()</script></head><body><nav>Menu</nav>\
             <div class='cookie-banner'>We use cookies</div><main><h1>Ice</h1>\
             <p>Ice is <b>cold</b>&amp; hard.<p>Second.</main><footer>2024</footer></body></html>",
            "Ice\n\nIce is cold& hard.\n\nSecond.\n",
        );
    }

    #[test]
    fn a_frame_that_is_called_clutter_does_not_hide_the_content() {
        let words = "Word after word. ".repeat(5);
        let frame = format!("<div class='for-nav'><p>x<div role=main><p>{words}</div></div>");
        check(&frame, &format!("{}\n", words.trim()));
        check(
            &format!("<div class='with-sidebar'><p>{words}</div>"),
            &format!("{}\n", words.trim()),
        );
    }

    #[test]
    fn lists_tables_and_code_keep_their_shape() {
        check(
            "<ul><li>one<li>two<ul><li>three</ul></ul><p>end",
            "- one\n- two\n  - three\n\nend\n",
        );
        check(
            "<table><tr><th>Name<th>Age<tr><td>Ada<td>36</table>",
            "Name | Age\nName: Ada; Age: 36\n",
        );
        check(
            "<table><tr><th>Born</th><td>1815</td></tr></table>",
            "Born: 1815\n",
        );
        check("<table><tr><td>a<td>b</table>x", "a | b\n\nx\n");
        check("<pre>a\n  b\n</pre>", "a\n  b\n");
    }

    #[test]
    fn headings_are_sections_and_the_title() {
        let draft = page("<title>T</title><h1>A</h1><p>x<h2>B &para;</h2><p>y");
        assert_eq!(draft.title.as_deref(), Some("A"));
        let headings: Vec<_> = draft
            .marks
            .iter()
            .map(|m| (m.level, m.title.as_str()))
            .collect();
        assert_eq!(headings, [(1, "A"), (2, "B")]);
        assert_eq!(
            page("<title>Only</title><p>x").title.as_deref(),
            Some("Only")
        );
    }

    #[test]
    fn a_page_nested_without_end_is_read() {
        let deep = "<div>".repeat(50_000) + "deep" + &"</div>".repeat(50_000);
        check(&deep, "deep\n");
        let unclosed = "<b><i></p></q>".repeat(20_000) + "end";
        check(&unclosed, "end\n");
        let tables = page(&"<table><tr><td>x ".repeat(50_000)).text;
        assert_eq!(tables.matches('x').count(), 50_000);
        check("<table><tr><td>a<td>b", "a | b\n");
    }
}
