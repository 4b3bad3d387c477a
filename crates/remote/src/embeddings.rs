//! A model that makes vectors, behind OpenAI's interface: `POST /embeddings`.

use base64::Engine as _;
use contract::{Embed, EmbedderId, Embedding, EmbeddingError, PromiseError, TextRole};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::unexpected;
use crate::server::Server;
use crate::{RemoteError, ServerOptions};

const PATH: &str = "embeddings";
/// At most so many texts go in one request …
const MOST_TEXTS: usize = 64;
/// … and so many bytes of them.
const MOST_BYTES: usize = 256 << 10;
/// A text that the server finds too long is cut in half at most so many times.
const MOST_CUTS: usize = 8;

/// A model on a server that makes vectors.
pub struct RemoteEmbedder {
    server: Server,
    prefixes: Prefixes,
    identity: EmbedderId,
}

/// What stands before each text, for models that were trained so: servers do not add it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Before a question.
    pub question: String,
    /// Before a passage.
    pub passage: String,
}

#[derive(Deserialize)]
struct Written {
    data: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    index: usize,
    embedding: Numbers,
}

/// A vector, as numbers or as the base64 of little-endian `f32`s.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Plain(Vec<f32>),
    Base64(String),
}

impl RemoteEmbedder {
    /// Asks the server for one vector, to learn how many numbers its vectors have.
    ///
    /// # Errors
    /// If the server cannot be reached, refuses, or answers what is no vector.
    pub fn open(options: ServerOptions, prefixes: Prefixes) -> Result<Self, RemoteError> {
        let server = Server::new(options)?;
        let vectors = vectors(&server, &["dimensions"])?;
        let dimensions = vectors[0].len();
        // The same name on another server may be another model.
        let mut name = format!("{} at {}", server.model(), server.url());
        if prefixes != Prefixes::default() {
            let Prefixes { question, passage } = &prefixes;
            name.push_str(&format!(", prefixes {question:?} and {passage:?}"));
        }
        Ok(Self {
            server,
            prefixes,
            identity: EmbedderId { name, dimensions },
        })
    }

    fn vectors(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, RemoteError> {
        let mut all = Vec::with_capacity(texts.len());
        let mut rest = texts;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest
                .iter()
                .take(MOST_TEXTS)
                .take_while(|text| {
                    bytes += text.len();
                    bytes <= MOST_BYTES
                })
                .count();
            let (now, later) = rest.split_at(fits.max(1));
            all.extend(self.batch(now)?);
            rest = later;
        }
        Ok(all)
    }

    /// Embeds one batch; if the server finds it too long, its halves, and of a single
    /// text its beginning.
    fn batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, RemoteError> {
        let error = match vectors(&self.server, texts) {
            Err(error) if is_too_long(&error) => error,
            vectors => return vectors,
        };
        if let [text] = texts {
            let mut text = *text;
            for _ in 0..MOST_CUTS {
                let half = text.len() / 2;
                let end = (0..=half).rev().find(|at| text.is_char_boundary(*at));
                text = &text[..end.unwrap_or(0)];
                match vectors(&self.server, &[text]) {
                    Err(error) if is_too_long(&error) => {}
                    vectors => return vectors,
                }
            }
            return Err(error);
        }
        let (first, second) = texts.split_at(texts.len() / 2);
        let mut all = self.batch(first)?;
        all.extend(self.batch(second)?);
        Ok(all)
    }
}

/// Returns one vector for each text, all of one length.
fn vectors(server: &Server, texts: &[&str]) -> Result<Vec<Vec<f32>>, RemoteError> {
    // Servers refuse texts of nothing; a blank is nearest to it.
    let input: Vec<&str> = texts
        .iter()
        .map(|text| if text.is_empty() { " " } else { text })
        .collect();
    let mut body = json!({ "model": server.model(), "input": input, "encoding_format": "base64" });
    let mut take = |reply: crate::http::Reply| {
        let url = reply.url.clone();
        let value: Value = reply.json("vectors")?;
        let text = value.to_string();
        let written: Written =
            serde_json::from_value(value).map_err(|_| unexpected(&url, "vectors", &text))?;
        in_order(&url, written, texts.len())
    };
    match server.ask(PATH, &body, "application/json", &mut take) {
        // Numbers in digits are what every server knows.
        Err(RemoteError::Status {
            status: 400 | 422,
            message,
            ..
        }) if message.contains("encoding_format") || message.contains("base64") => {
            body["encoding_format"] = json!("float");
            server.ask(PATH, &body, "application/json", &mut take)
        }
        vectors => vectors,
    }
}

fn in_order(url: &str, written: Written, count: usize) -> Result<Vec<Vec<f32>>, RemoteError> {
    let wrong = |found: String| unexpected(url, "one vector for each text", &found);
    if written.data.len() != count {
        return Err(wrong(format!(
            "{} vectors for {count} texts",
            written.data.len()
        )));
    }
    let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); count];
    for one in written.data {
        let numbers = match one.embedding {
            Numbers::Plain(numbers) => numbers,
            Numbers::Base64(text) => base64::engine::general_purpose::STANDARD
                .decode(text)
                .ok()
                .filter(|bytes| bytes.len() % 4 == 0)
                .ok_or_else(|| wrong("a vector that is no base64 of numbers".into()))?
                .chunks_exact(4)
                .map(|it| f32::from_le_bytes([it[0], it[1], it[2], it[3]]))
                .collect(),
        };
        if numbers.is_empty() {
            return Err(wrong("a vector without numbers".into()));
        }
        match vectors.get_mut(one.index) {
            Some(place) if place.is_empty() => *place = numbers,
            _ => {
                return Err(wrong(format!(
                    "index {} twice or beyond the end",
                    one.index
                )));
            }
        }
    }
    Ok(vectors)
}

fn is_too_long(error: &RemoteError) -> bool {
    match error {
        RemoteError::Status { status: 413, .. } => true,
        RemoteError::Status {
            status: 400 | 422,
            message,
            ..
        } => {
            let message = message.to_lowercase();
            ["token", "too long", "length", "context", "too large"]
                .iter()
                .any(|word| message.contains(word))
        }
        _ => false,
    }
}

impl Embed for RemoteEmbedder {
    fn identity(&self) -> &EmbedderId {
        &self.identity
    }

    fn embed(&self, texts: &[&str], role: TextRole) -> Result<Vec<Embedding>, PromiseError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| PromiseError {
            who: self.server.name(),
            source,
        };
        if texts.is_empty() {
            return Ok(Vec::new());
        }
        let prefix = match role {
            TextRole::Question => &self.prefixes.question,
            TextRole::Passage => &self.prefixes.passage,
        };
        let prefixed: Vec<String>;
        let prefixed_texts: Vec<&str>;
        let texts = if prefix.is_empty() {
            texts
        } else {
            prefixed = texts.iter().map(|text| format!("{prefix}{text}")).collect();
            prefixed_texts = prefixed.iter().map(String::as_str).collect();
            &prefixed_texts
        };
        self.vectors(texts)
            .map_err(|error| failed(Box::new(error)))?
            .into_iter()
            .map(|numbers| Embedding::new(self.identity.clone(), numbers))
            .collect::<Result<_, EmbeddingError>>()
            .map_err(|error| failed(Box::new(error)))
    }
}
