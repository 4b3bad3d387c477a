//! From glyphs on pages to lines, paragraphs and headings.
//!
//! A PDF says where each letter stands and nothing else. Letters on one baseline
//! make a line, close lines a paragraph, large or bold lines a heading. Blocks
//! keep the order in which the file draws them, which is the reading order of
//! columns, unless they lie cleanly one below the other: then they are sorted
//! down the page.

use std::collections::HashMap;

use crate::outline::{Mark, Outline, one_line};

/// A letter where it stands. Coordinates are turned so that its line runs to the
/// right: `x` grows along the line and `y` upwards across it.
#[derive(Clone, Debug)]
pub(crate) struct Glyph {
    text: String,
    x: f64,
    y: f64,
    end: f64,
    size: f64,
    bold: bool,
    /// The direction of its line, in quarters of a right angle, so that only
    /// letters of the same direction make a line.
    turn: i8,
}

impl Glyph {
    /// `along` is one em along the line on the page, `height` the length of one em
    /// across it, `advance` the glyph's width in ems.
    pub(crate) fn new(
        text: String,
        origin: (f64, f64),
        along: (f64, f64),
        height: f64,
        advance: f64,
        bold: bool,
    ) -> Self {
        let width = along.0.hypot(along.1);
        let (dx, dy) = (along.0 / width, along.1 / width);
        let x = origin.0 * dx + origin.1 * dy;
        Self {
            text,
            x,
            y: origin.1 * dx - origin.0 * dy,
            end: x + advance * width,
            size: height,
            bold,
            turn: (dy.atan2(dx) / std::f64::consts::FRAC_PI_8).round() as i8,
        }
    }
}

/// A line of text.
#[derive(Clone, Debug)]
struct Line {
    text: String,
    x: f64,
    end: f64,
    y: f64,
    /// The size of most of its letters.
    size: f64,
    bold: bool,
    letters: usize,
    turn: i8,
}

/// Lines that stand close together.
struct Block {
    lines: Vec<Line>,
}

impl Block {
    fn top(&self) -> f64 {
        self.lines
            .iter()
            .map(|line| line.y + line.size * 0.8)
            .fold(f64::MIN, f64::max)
    }

    fn bottom(&self) -> f64 {
        self.lines
            .iter()
            .map(|line| line.y)
            .fold(f64::MAX, f64::min)
    }
}

/// Makes a text of the pages' glyphs, with headings where there are any, else with
/// a section a page.
pub(crate) fn lay_out(pages: Vec<Vec<Glyph>>) -> Outline {
    let mut pages: Vec<Vec<Block>> = pages
        .into_iter()
        .map(|glyphs| in_order(blocks(lines(glyphs))))
        .collect();
    drop_running_lines(&mut pages);
    let style = Style::of(&pages);
    let mut outline = Outline::default();
    let mut headings = 0;
    for (number, page) in pages.iter().enumerate() {
        let begin = outline.text.len();
        let mut page_mark = None;
        for (block_number, block) in page.iter().enumerate() {
            // A paragraph that runs over the page's end goes on without a break.
            let goes_on = block_number == 0 && runs_on(&outline.text, &block.lines[0]);
            if !goes_on {
                outline.blank_line();
            }
            page_mark.get_or_insert(outline.text.len());
            headings += push_block(&mut outline, block, &style);
        }
        if style.by_page && outline.text.len() > begin {
            outline.marks.push(Mark {
                at: page_mark.unwrap_or(begin),
                level: 1,
                title: format!("Page {}", number + 1),
            });
        }
    }
    debug_assert!(
        headings == 0 || !style.by_page,
        "pages or headings, not both"
    );
    outline.end_line();
    outline
}

/// Puts letters into lines, in the order in which they are drawn.
fn lines(glyphs: Vec<Glyph>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut sizes: Vec<(f64, usize)> = Vec::new();
    let mut bold = 0;
    let mut open: Option<Line> = None;
    let mut close = |line: Option<Line>, sizes: &mut Vec<(f64, usize)>, bold: &mut usize| {
        if let Some(mut line) = line {
            line.text = one_line(&line.text);
            line.size = sizes
                .iter()
                .max_by_key(|(_, letters)| *letters)
                .map_or(line.size, |(size, _)| *size);
            line.bold = *bold * 2 > line.letters;
            if !line.text.is_empty() {
                lines.push(line);
            }
        }
        sizes.clear();
        *bold = 0;
    };
    for glyph in glyphs {
        let fits = open.as_ref().is_some_and(|line| {
            let size = glyph.size.max(line.size);
            line.turn == glyph.turn
                && (line.y - glyph.y).abs() < size * 0.45
                && glyph.x > line.end - size * 1.2
        });
        if !fits {
            close(open.take(), &mut sizes, &mut bold);
        }
        let line = open.get_or_insert_with(|| Line {
            text: String::new(),
            x: glyph.x,
            end: glyph.x,
            y: glyph.y,
            size: glyph.size,
            bold: false,
            letters: 0,
            turn: glyph.turn,
        });
        let gap = glyph.x - line.end;
        let blank = glyph.text.chars().all(char::is_whitespace);
        if !line.text.is_empty() && !blank {
            if gap > glyph.size * 2.0 && !is_bullet(&line.text) {
                line.text.push_str(" | ");
            } else if gap > glyph.size * 0.15 && !line.text.ends_with(' ') {
                line.text.push(' ');
            }
        }
        // The same letter drawn twice on one spot is a way to make it bold.
        let again = gap < -glyph.size * 0.3
            && (glyph.x - (line.end - (glyph.end - glyph.x))).abs() < glyph.size * 0.1
            && line.text.ends_with(&glyph.text);
        if again {
            continue;
        }
        if blank {
            if !line.text.ends_with(' ') {
                line.text.push(' ');
            }
            // Spaces drawn to reach a column count as the gap that they make.
            continue;
        }
        push_letters(&mut line.text, &glyph.text);
        line.end = glyph.end.max(line.end);
        line.letters += 1;
        bold += usize::from(glyph.bold);
        match sizes
            .iter_mut()
            .find(|(size, _)| (*size - glyph.size).abs() < 0.2)
        {
            Some((_, letters)) => *letters += 1,
            None => sizes.push((glyph.size, 1)),
        }
    }
    close(open, &mut sizes, &mut bold);
    lines
}

/// Returns whether a line so far is only an item's number or bullet.
fn is_bullet(text: &str) -> bool {
    let text = text.trim();
    text.len() <= 5
        && (text.starts_with(['.', '•', '-', '–', '▪', '●', 'o', '('])
            || text.ends_with(['.', ')']))
}

/// Adds letters, ligatures as their letters, what cannot be shown left out.
fn push_letters(text: &mut String, letters: &str) {
    for letter in letters.chars() {
        match letter {
            'ﬁ' => text.push_str("fi"),
            'ﬂ' => text.push_str("fl"),
            'ﬀ' => text.push_str("ff"),
            'ﬃ' => text.push_str("ffi"),
            'ﬄ' => text.push_str("ffl"),
            '\u{ad}' => text.push('-'),
            letter if letter.is_control() || letter == '\u{fffd}' => {}
            letter => text.push(letter),
        }
    }
}

/// Puts lines that follow each other closely into blocks; parts of one row become
/// one line.
fn blocks(lines: Vec<Line>) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for line in lines {
        let Some(last) = blocks.last_mut() else {
            blocks.push(Block { lines: vec![line] });
            continue;
        };
        let before = last.lines.last_mut().expect("a block has a line");
        let size = before.size.max(line.size);
        let same_row = before.turn == line.turn && (before.y - line.y).abs() < size * 0.35;
        if same_row && line.x > before.end - size * 0.5 {
            let far = line.x - before.end > size * 2.0 && !is_bullet(&before.text);
            before.text.push_str(if far { " | " } else { " " });
            before.text.push_str(&line.text);
            before.end = line.end;
            before.letters += line.letters;
            before.bold &= line.bold;
            continue;
        }
        let step = before.y - line.y;
        let close = before.turn == line.turn
            && step > 0.0
            && step < size * 1.75
            && (before.size - line.size).abs() < size * 0.15
            && before.bold == line.bold
            && line.x < before.end + size
            && before.x < line.end + size;
        if close {
            last.lines.push(line);
        } else {
            blocks.push(Block { lines: vec![line] });
        }
    }
    blocks
}

/// Sorts a page's lines from top to bottom and puts them into blocks anew, unless
/// it has columns (blocks of several lines side by side) or turned text.
fn in_order(blocks: Vec<Block>) -> Vec<Block> {
    let upright = blocks
        .iter()
        .all(|block| block.lines.iter().all(|line| line.turn == 0));
    if !upright || has_columns(&blocks) {
        return blocks;
    }
    let mut lines: Vec<Line> = blocks.into_iter().flat_map(|block| block.lines).collect();
    lines.sort_by(|a, b| b.y.total_cmp(&a.y));
    // Within a row, from left to right.
    let mut start = 0;
    for at in 1..=lines.len() {
        let same_row = lines
            .get(at)
            .is_some_and(|line| lines[start].y - line.y < line.size * 0.35);
        if !same_row {
            lines[start..at].sort_by(|a, b| a.x.total_cmp(&b.x));
            start = at;
        }
    }
    self::blocks(lines)
}

/// Returns whether two blocks of several lines each stand side by side.
fn has_columns(blocks: &[Block]) -> bool {
    let mut tall: Vec<&Block> = blocks
        .iter()
        .filter(|block| block.lines.len() >= 3)
        .collect();
    tall.sort_by(|a, b| b.top().total_cmp(&a.top()));
    let mut lowest = f64::MAX;
    for block in tall {
        if block.top() > lowest + block.lines[0].size {
            return true;
        }
        lowest = lowest.min(block.bottom());
    }
    false
}

/// Takes out the first and last lines that most pages share (running heads, page
/// numbers), digits aside.
fn drop_running_lines(pages: &mut [Vec<Block>]) {
    if pages.len() < 3 {
        return;
    }
    let key = |line: &Line| -> String {
        let letters = line.text.chars();
        letters
            .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
            .collect()
    };
    let edge = |page: &[Block]| {
        let first = page.first().and_then(|block| block.lines.first());
        let last = page.last().and_then(|block| block.lines.last());
        (first.map(key), last.map(key))
    };
    // Twice, for a running head of two lines.
    for _ in 0..2 {
        let mut seen: HashMap<String, usize> = HashMap::new();
        for page in pages.iter() {
            let (first, last) = edge(page);
            for line in [first, last].into_iter().flatten() {
                *seen.entry(line).or_default() += 1;
            }
        }
        let half = (pages.len() / 2).max(2);
        let running = |line: &Option<String>| {
            line.as_ref()
                .is_some_and(|line| seen.get(line).is_some_and(|count| *count > half))
        };
        for page in pages.iter_mut() {
            let (first, last) = edge(page);
            if running(&first)
                && let Some(block) = page.first_mut()
            {
                block.lines.remove(0);
            }
            if running(&last)
                && let Some(block) = page.last_mut()
            {
                block.lines.pop();
            }
            page.retain(|block| !block.lines.is_empty());
        }
    }
}

/// What a document's headings look like.
struct Style {
    body: f64,
    /// The sizes of headings, the largest first.
    sizes: Vec<f64>,
    /// Whether bold lines of the body's size are headings.
    bold: bool,
    /// Whether there are no headings, so that pages are the sections.
    by_page: bool,
}

/// Levels that sizes are told apart into.
const MOST_SIZES: usize = 4;

impl Style {
    fn of(pages: &[Vec<Block>]) -> Self {
        let blocks = || pages.iter().flatten();
        let mut letters: HashMap<i64, usize> = HashMap::new();
        for line in blocks().flat_map(|block| &block.lines) {
            *letters.entry((line.size * 2.0).round() as i64).or_default() += line.letters;
        }
        let body = letters
            .iter()
            .max_by_key(|(size, letters)| (**letters, **size))
            .map_or(0.0, |(size, _)| *size as f64 / 2.0);
        let mut style = Self {
            body,
            sizes: Vec::new(),
            bold: true,
            by_page: false,
        };
        let all = blocks().count();
        let bold = blocks()
            .filter(|block| style.is_bold_heading(block))
            .count();
        // Where much is bold, bold means nothing.
        style.bold = bold * 3 <= all;
        let mut sizes: Vec<f64> = blocks()
            .filter(|block| style.is_large(block))
            .map(|block| (block.lines[0].size * 2.0).round() / 2.0)
            .collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        sizes.dedup();
        sizes.truncate(MOST_SIZES);
        style.sizes = sizes;
        let found = blocks()
            .filter(|block| style.level(block).is_some())
            .count();
        style.by_page = found == 0 || found * 3 > all * 2;
        style
    }

    /// Returns whether a block could be a heading at all: short, with words.
    fn is_short(block: &Block) -> bool {
        let length: usize = block.lines.iter().map(|line| line.text.len()).sum();
        let words = block.lines.iter().any(|line| {
            line.text
                .chars()
                .filter(|letter| letter.is_alphabetic())
                .count()
                > 2
        });
        block.lines.len() <= 3
            && length <= 160
            && words
            && block
                .lines
                .iter()
                .all(|line| !line.text.contains(" | ") && line.turn == 0)
    }

    fn is_large(&self, block: &Block) -> bool {
        Self::is_short(block) && block.lines[0].size >= self.body * 1.12
    }

    fn is_bold_heading(&self, block: &Block) -> bool {
        Self::is_short(block)
            && block.lines.iter().all(|line| line.bold)
            && block.lines[0].size >= self.body * 0.95
            && block.lines.len() <= 2
            && !block.lines[0].text.ends_with(['.', ',', ';'])
    }

    /// Returns the level of the heading that a block is.
    fn level(&self, block: &Block) -> Option<usize> {
        if self.by_page {
            return None;
        }
        if self.is_large(block) {
            let size = block.lines[0].size;
            let level = self.sizes.iter().position(|known| size >= known - 0.26);
            return Some(level.unwrap_or(self.sizes.len()) + 1);
        }
        (self.bold && self.is_bold_heading(block)).then_some(self.sizes.len() + 1)
    }
}

/// Adds a block; returns how many headings it was.
fn push_block(outline: &mut Outline, block: &Block, style: &Style) -> usize {
    if let Some(level) = style.level(block) {
        let title: Vec<&str> = block.lines.iter().map(|line| line.text.as_str()).collect();
        outline.heading(level, &title.join(" "));
        return 1;
    }
    for line in &block.lines {
        let ends_broken = outline.text.ends_with("-\n") && {
            let mut before = outline.text.chars().rev().skip(2);
            before.next().is_some_and(char::is_lowercase)
        };
        if ends_broken && line.text.starts_with(char::is_lowercase) {
            // A word divided at the line's end is one word again.
            outline.text.truncate(outline.text.len() - 2);
        }
        outline.text.push_str(&line.text);
        outline.text.push('\n');
    }
    0
}

/// Returns whether a page's first line goes on with the paragraph before it.
fn runs_on(text: &str, line: &Line) -> bool {
    let end = text.trim_end().chars().next_back();
    end.is_some_and(|letter| letter.is_alphanumeric() || letter == ',' || letter == '-')
        && line.text.starts_with(char::is_lowercase)
}
