//! A server on the loopback, which answers as a test says: well, slowly, half, or wrongly.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    /// By their names in small letters.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("the request is JSON")
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    /// The pieces of the body, each after its pause.
    pieces: Vec<(Duration, Vec<u8>)>,
    /// The length that is announced; without, the connection's end is the body's.
    length: Option<usize>,
}

impl Answer {
    pub(crate) fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: vec![("Content-Type".into(), kind.into())],
            length: Some(body.len()),
            pieces: vec![(Duration::ZERO, body)],
        }
    }

    pub(crate) fn json(value: &serde_json::Value) -> Self {
        Self::new(200, "application/json", value.to_string())
    }

    /// An event stream whose end is the connection's.
    pub(crate) fn events(pieces: &[&str]) -> Self {
        Self {
            pieces: pieces
                .iter()
                .map(|it| (Duration::ZERO, it.as_bytes().to_vec()))
                .collect(),
            length: None,
            ..Self::new(200, "text/event-stream", "")
        }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Announces more than is sent.
    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        for (_, piece) in &mut self.pieces {
            piece.truncate(bytes);
        }
        self
    }

    /// Announces `length`, whatever is sent.
    pub(crate) fn announcing(mut self, length: usize) -> Self {
        self.length = Some(length);
        self
    }

    /// Waits before each piece.
    pub(crate) fn after(mut self, pause: Duration) -> Self {
        for (before, _) in &mut self.pieces {
            *before = pause;
        }
        self
    }
}

impl Answer {
    /// Waits before one of the pieces.
    pub(crate) fn silent_before(mut self, piece: usize, pause: Duration) -> Self {
        self.pieces[piece].0 = pause;
        self
    }
}

type Handler = dyn Fn(&Request, usize) -> Option<Answer> + Send + Sync;

/// A server; it answers until the test's process ends.
pub(crate) struct Server {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    broken: Arc<AtomicUsize>,
}

impl Server {
    /// Starts one. `handler` is given each request and how many came before it; where it
    /// answers nothing, the connection is closed without a word.
    pub(crate) fn start(
        handler: impl Fn(&Request, usize) -> Option<Answer> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let broken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&broken);
        let (seen, handler): (_, Arc<Handler>) = (Arc::clone(&requests), Arc::new(handler));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (seen, handler) = (Arc::clone(&seen), Arc::clone(&handler));
                // A client that went away is no concern of the server's.
                let broken = Arc::clone(&count);
                std::thread::spawn(move || {
                    if serve(stream, &seen, &*handler).is_err() {
                        broken.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self {
            url: format!("http://{address}"),
            requests,
            broken,
        }
    }

    /// How many answers could not be given because nobody listened any more.
    pub(crate) fn broken(&self) -> usize {
        self.broken.load(Ordering::SeqCst)
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests
            .lock()
            .expect("no test panicked in it")
            .clone()
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Vec<Request>>,
    handler: &Handler,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    while serve_one(&mut stream, &mut reader, seen, handler)? {}
    Ok(())
}

/// Answers one request; returns whether another may follow on the connection, which is
/// so where somebody takes the server for a proxy.
fn serve_one(
    stream: &mut TcpStream,
    reader: &mut BufReader<TcpStream>,
    seen: &Mutex<Vec<Request>>,
    handler: &Handler,
) -> std::io::Result<bool> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|it| it.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let request = Request {
        method,
        path,
        headers,
        body,
    };
    let before = {
        let mut seen = seen.lock().expect("no test panicked in it");
        seen.push(request.clone());
        seen.len() - 1
    };
    if request.method == "CONNECT" {
        stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
        return Ok(true);
    }
    let Some(answer) = handler(&request, before) else {
        return Ok(false);
    };
    let mut head = format!("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(length) = answer.length {
        head.push_str(&format!("Content-Length: {length}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.flush()?;
    for (pause, piece) in &answer.pieces {
        std::thread::sleep(*pause);
        stream.write_all(piece)?;
        stream.flush()?;
    }
    Ok(false)
}
