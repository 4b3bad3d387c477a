//! Worlds of things with attributes, told in prose, lists, tables, settings and questions.

use crate::names::{Name, Value, capital};
use crate::random::Random;
use crate::topics::{ASKS, ASKS_WHICH, Attribute, COMPOUNDS, SAYS, TOPICS};
use crate::words::{ADJECTIVES, FILLERS, NOUNS};
use crate::world::{Ask, Passage, Phrasing, World, fill, paragraph, sentence};

/// An attribute of this world.
struct Column {
    nouns: Vec<String>,
    value: Value,
    says: &'static [&'static str],
    asks: &'static [&'static str],
}

/// A thing with its values, one for each attribute; none where it is not said.
struct Row {
    name: String,
    values: Vec<Option<String>>,
}

impl Column {
    fn of(attribute: &'static Attribute) -> Self {
        Self {
            nouns: attribute.nouns.iter().map(|it| (*it).to_owned()).collect(),
            value: attribute.value,
            says: attribute.says,
            asks: attribute.asks,
        }
    }

    /// Returns an attribute that is made of two words, such as `ticket fee`.
    fn made(random: &mut Random) -> Self {
        let (second, value) = *random.pick(COMPOUNDS);
        let first = if random.chance(0.8) {
            random.word(NOUNS)
        } else {
            random.word(ADJECTIVES)
        };
        Self {
            nouns: vec![format!("{first} {second}")],
            value,
            says: &[],
            asks: &[],
        }
    }

    fn noun(&self, random: &mut Random) -> &str {
        &self.nouns[random.below(self.nouns.len())]
    }
}

/// Returns what a statement or a question says of `row`'s `column`.
fn form(
    random: &mut Random,
    phrasing: Phrasing,
    special: &[&'static str],
    general: &[&'static str],
) -> &'static str {
    if !special.is_empty() && random.chance(0.6) {
        phrasing.pick(random, special)
    } else {
        phrasing.pick(random, general)
    }
}

/// Makes a world of `things` things of one topic, with up to `most` attributes.
pub(crate) fn facts(random: &mut Random, phrasing: Phrasing, things: usize, most: usize) -> World {
    let topic = random.pick(TOPICS);
    let mut columns: Vec<Column> = Vec::new();
    while columns.len() < most {
        let next = if random.chance(0.75) {
            Column::of(random.pick(topic.attributes))
        } else {
            Column::made(random)
        };
        if !columns
            .iter()
            .any(|it| it.nouns.iter().any(|noun| next.nouns.contains(noun)))
        {
            columns.push(next);
        } else if columns.len() >= 2 && random.chance(0.3) {
            break;
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    let stem = related(random, topic.name);
    while rows.len() < things {
        // Names that are alike run out sooner.
        let name = match &stem {
            Some(stem) if random.chance(0.8) => stem(random),
            _ => topic.name.make(random),
        };
        if rows.iter().any(|it| it.name == name) {
            continue;
        }
        let mut values = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            let value = column.value.make(random);
            let taken = rows.iter().any(|it| it.values[at].as_ref() == Some(&value));
            values.push((!taken && !random.chance(0.15)).then_some(value));
        }
        // Of what is there, something is said.
        if values.iter().all(Option::is_none) {
            values[0] = Some(columns[0].value.make(random));
        }
        rows.push(Row { name, values });
    }
    let world = Told {
        kind: topic.kind,
        pronoun: topic.pronoun,
        columns: &columns,
        rows: &rows,
        phrasing,
    };
    world.tell(random)
}

/// What writes a value.
type Writes = Box<dyn Fn(&mut Random) -> String>;

/// Returns a maker of names that are easily taken for one another, now and then.
fn related(random: &mut Random, name: Name) -> Option<Writes> {
    let first = name.make(random);
    let (head, _) = first.rsplit_once(' ')?;
    if !random.chance(0.2) || head.is_empty() || head == "the" {
        return None;
    }
    let head = head.to_owned();
    Some(Box::new(move |random| {
        let other = name.make(random);
        let tail = other.rsplit(' ').next().unwrap_or("").to_owned();
        format!("{head} {tail}")
    }))
}

struct Told<'a> {
    kind: &'static str,
    pronoun: &'static str,
    columns: &'a [Column],
    rows: &'a [Row],
    phrasing: Phrasing,
}

impl Told<'_> {
    fn tell(&self, random: &mut Random) -> World {
        let mut world = World::default();
        match random.below(20) {
            0..9 => self.prose(random, &mut world),
            9..11 => self.mixed(random, &mut world),
            11..14 => self.lists(random, &mut world),
            14..16 => self.table(random, &mut world),
            16 => self.questions(random, &mut world),
            17 => self.settings(random, &mut world),
            _ => self.lines(random, &mut world),
        }
        self.missing(random, &mut world);
        world
    }

    fn question(&self, random: &mut Random, row: &Row, column: &Column) -> String {
        let form = form(random, self.phrasing, column.asks, ASKS);
        let noun = column.noun(random).to_owned();
        fill(form, &[('e', &row.name), ('n', &noun)])
    }

    /// Adds the question for a value and, now and then, the one for what has it.
    fn ask(&self, random: &mut Random, world: &mut World, row: &Row, at: usize, passage: usize) {
        let (column, Some(value)) = (&self.columns[at], &row.values[at]) else {
            return;
        };
        if random.chance(0.88) {
            let question = self.question(random, row, column);
            world.asks.push(Ask {
                question,
                answer: value.clone(),
                passage,
            });
        } else {
            let noun = column.noun(random).to_owned();
            let form = self.phrasing.pick(random, ASKS_WHICH);
            let question = fill(form, &[('k', self.kind), ('n', &noun), ('v', value)]);
            world.asks.push(Ask {
                question,
                answer: row.name.clone(),
                passage,
            });
        }
    }

    fn statement(&self, random: &mut Random, name: &str, column: &Column, value: &str) -> String {
        let form = form(random, self.phrasing, column.says, SAYS);
        let noun = column.noun(random).to_owned();
        let other = loop {
            let other = column.value.make(random);
            if other != value {
                break other;
            }
        };
        sentence(&fill(
            form,
            &[('e', name), ('n', &noun), ('v', value), ('w', &other)],
        ))
    }

    /// A paragraph for each thing; after its name it may be called by a pronoun.
    fn prose(&self, random: &mut Random, world: &mut World) {
        let pronouns = random.chance(0.5);
        for row in self.rows {
            let passage = world.passages.len();
            let mut sentences = Vec::new();
            let mut order: Vec<usize> = (0..self.columns.len()).collect();
            random.shuffle(&mut order);
            for at in order {
                let Some(value) = &row.values[at] else {
                    continue;
                };
                let name = if pronouns && !sentences.is_empty() && random.chance(0.5) {
                    if random.chance(0.6) {
                        self.pronoun.to_owned()
                    } else {
                        format!("the {}", self.kind)
                    }
                } else {
                    row.name.clone()
                };
                let said = self.statement(random, &name, &self.columns[at], value);
                sentences.push(grammar(&said));
                self.ask(random, world, row, at, passage);
                if random.chance(0.15) {
                    sentences.push(random.word(FILLERS).to_owned());
                }
            }
            let text = paragraph(random, &sentences);
            world.passages.push(Passage {
                title: capital(&row.name),
                text,
            });
        }
    }

    /// All sentences in any order.
    fn mixed(&self, random: &mut Random, world: &mut World) {
        let mut sentences = Vec::new();
        for row in self.rows {
            for (at, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    sentences.push(self.statement(random, &row.name, &self.columns[at], value));
                    self.ask(random, world, row, at, 0);
                }
            }
        }
        random.shuffle(&mut sentences);
        let text = paragraph(random, &sentences);
        world.passages.push(Passage {
            title: self.title(random),
            text,
        });
    }

    fn title(&self, random: &mut Random) -> String {
        match random.below(3) {
            0 => format!("About {}", plural(self.kind)),
            1 => capital(&plural(self.kind)),
            _ => String::new(),
        }
    }

    /// A list of attributes for each thing.
    fn lists(&self, random: &mut Random, world: &mut World) {
        let mark = random.word(&["- ", "* ", "", "• ", "- **"]);
        let between = random.word(&[": ", ": ", " = ", " – ", " is "]);
        let heading = random.word(&["## ", "", "# ", "### "]);
        for row in self.rows {
            let passage = world.passages.len();
            let mut text = format!("{heading}{}\n", capital(&row.name));
            for (at, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    let noun = capital(self.columns[at].noun(random));
                    let end = if mark.ends_with("**") { "**" } else { "" };
                    text += &format!("{mark}{noun}{end}{between}{value}\n");
                    self.ask(random, world, row, at, passage);
                }
            }
            world.passages.push(Passage {
                title: capital(&row.name),
                text,
            });
        }
    }

    /// A table with a line for each thing.
    fn table(&self, random: &mut Random, world: &mut World) {
        let nouns: Vec<String> = self
            .columns
            .iter()
            .map(|it| it.noun(random).to_owned())
            .collect();
        let mut text = format!("| {} | {} |\n", self.kind, nouns.join(" | "));
        text += &format!("|{}\n", "---|".repeat(nouns.len() + 1));
        for row in self.rows {
            let cells = row.values.iter().map(|it| it.as_deref().unwrap_or("-"));
            text += &format!(
                "| {} | {} |\n",
                row.name,
                cells.collect::<Vec<_>>().join(" | ")
            );
            for at in 0..self.columns.len() {
                self.ask(random, world, row, at, 0);
            }
        }
        world.passages.push(Passage {
            title: self.title(random),
            text,
        });
    }

    /// Questions with their answers.
    fn questions(&self, random: &mut Random, world: &mut World) {
        for row in self.rows {
            let passage = world.passages.len();
            let mut text = String::new();
            for (at, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    let asked = sentence(&self.question(random, row, &self.columns[at]));
                    let said = if random.chance(0.5) {
                        self.statement(random, &row.name, &self.columns[at], value)
                    } else {
                        capital(value)
                    };
                    let (q, a) = *random.pick(&[("Q: ", "A: "), ("", ""), ("**", "** ")]);
                    text += &if q == "**" {
                        format!("**{asked}**\n{said}\n")
                    } else {
                        format!("{q}{asked}\n{a}{said}\n")
                    };
                    self.ask(random, world, row, at, passage);
                }
            }
            world.passages.push(Passage {
                title: capital(&row.name),
                text,
            });
        }
    }

    /// As a program's settings.
    fn settings(&self, random: &mut Random, world: &mut World) {
        let json = random.chance(0.5);
        for row in self.rows {
            let passage = world.passages.len();
            let mut parts = Vec::new();
            for (at, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    let key = self.columns[at].nouns[0].replace([' ', '-'], "_");
                    parts.push(if json {
                        format!("\"{key}\": \"{value}\"")
                    } else {
                        format!("{key} = \"{value}\"")
                    });
                    self.ask(random, world, row, at, passage);
                }
            }
            let text = if json {
                format!("{{\"name\": \"{}\", {}}}", row.name, parts.join(", "))
            } else {
                format!("[{}]\n{}\n", row.name, parts.join("\n"))
            };
            world.passages.push(Passage {
                title: capital(&row.name),
                text,
            });
        }
    }

    /// A line for each thing.
    fn lines(&self, random: &mut Random, world: &mut World) {
        let between = random.word(&["; ", ", ", " / ", " | "]);
        let mut text = String::new();
        for row in self.rows {
            let mut parts = Vec::new();
            for (at, value) in row.values.iter().enumerate() {
                if let Some(value) = value {
                    let noun = self.columns[at].noun(random);
                    parts.push(if random.chance(0.8) {
                        format!("{noun} {value}")
                    } else {
                        format!("{noun}: {value}")
                    });
                    self.ask(random, world, row, at, 0);
                }
            }
            text += &format!("{}: {}.\n", capital(&row.name), parts.join(between));
        }
        world.passages.push(Passage {
            title: self.title(random),
            text,
        });
    }

    /// Near misses: a thing's value that is not said, an attribute that nobody has, a thing
    /// that is not there.
    fn missing(&self, random: &mut Random, world: &mut World) {
        for row in self.rows {
            for (at, value) in row.values.iter().enumerate() {
                if value.is_none() {
                    world
                        .missing
                        .push(self.question(random, row, &self.columns[at]));
                }
            }
        }
        let row = random.pick(self.rows);
        let other = Column::made(random);
        if !self
            .columns
            .iter()
            .any(|it| it.nouns.contains(&other.nouns[0]))
        {
            world.missing.push(self.question(random, row, &other));
        }
        for topic in TOPICS.iter().filter(|it| it.kind == self.kind) {
            let other = Column::of(random.pick(topic.attributes));
            if !self
                .columns
                .iter()
                .any(|it| it.nouns.iter().any(|noun| other.nouns.contains(noun)))
                && !self.columns.iter().any(|it| it.value == other.value)
            {
                world.missing.push(self.question(random, row, &other));
            }
            let stranger = Row {
                name: topic.name.make(random),
                values: Vec::new(),
            };
            if !self.rows.iter().any(|it| it.name == stranger.name) {
                let column = random.pick(self.columns);
                world.missing.push(self.question(random, &stranger, column));
            }
        }
    }
}

/// Mends what a pronoun breaks.
fn grammar(text: &str) -> String {
    let mended = text
        .replace("they's", "their")
        .replace("They's", "Their")
        .replace("it's ", "its ")
        .replace("It's ", "Its ")
        .replace("she's", "her")
        .replace("She's", "Her");
    let plural = [
        ("hey is ", "hey are "),
        ("hey has ", "hey have "),
        ("hey was ", "hey were "),
        ("hey works", "hey work"),
        ("hey lives", "hey live"),
        ("hey earns", "hey earn"),
        ("hey keeps", "hey keep"),
        ("hey likes", "hey like"),
        ("hey loves", "hey love"),
        ("hey speaks", "hey speak"),
        ("hey comes", "hey come"),
        ("hey makes", "hey make"),
        ("hey sits", "hey sit"),
        ("hey reports", "hey report"),
        ("hey teaches", "hey teach"),
        ("hey walks", "hey walk"),
        ("hey celebrates", "hey celebrate"),
        ("hey answers", "hey answer"),
        ("hey lists", "hey list"),
        ("hey appears", "hey appear"),
        ("hey stands", "hey stand"),
    ];
    plural
        .iter()
        .fold(mended, |text, (wrong, right)| text.replace(wrong, right))
}

pub(crate) fn plural(noun: &str) -> String {
    match noun {
        "person" => "people".into(),
        "dish" => "dishes".into(),
        "company" => "companies".into(),
        "policy" => "policies".into(),
        _ => format!("{noun}s"),
    }
}
