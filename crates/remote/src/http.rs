//! Requests over HTTP: proxies, certificates, time limits, redirects, and errors that
//! say what happened.

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use crate::address::{host, join, same_server};
use crate::{RemoteError, Retry, Secret};

/// No answer that is read as a whole is larger.
const LARGEST_ANSWER: u64 = 256 << 20;
/// As much of a refusal is read as a person would.
const LARGEST_REFUSAL: u64 = 64 << 10;
const LONGEST_MESSAGE: usize = 300;
const MOST_REDIRECTS: usize = 10;

/// How servers are reached.
#[derive(Clone)]
pub struct NetworkOptions {
    /// Whether to send nothing at all.
    pub offline: bool,
    /// The proxy for `http` addresses (`http://user:password@host:port`).
    pub http_proxy: Option<String>,
    /// The proxy for `https` addresses.
    pub https_proxy: Option<String>,
    /// Hosts that are reached without a proxy, commas between them: a name means its
    /// subdomains too, `*` means all. What runs on this machine never takes a proxy.
    pub no_proxy: Option<String>,
    /// A file of certificate authorities in PEM to trust, instead of the system's.
    pub certificates: Option<PathBuf>,
    /// How long to wait for a connection. Default: 10 s.
    pub connect_timeout: Duration,
    /// How long to wait for the next part of an answer. Default: 60 s.
    pub timeout: Duration,
    /// When to try again.
    pub retry: Retry,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            offline: false,
            http_proxy: None,
            https_proxy: None,
            no_proxy: None,
            certificates: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            retry: Retry::default(),
        }
    }
}

impl fmt::Debug for NetworkOptions {
    /// Leaves out the proxies, whose addresses may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkOptions")
            .field("offline", &self.offline)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish_non_exhaustive()
    }
}

/// The network, ready to be asked.
#[derive(Clone)]
pub struct Network {
    agent: Agent,
    http_proxy: Option<Proxy>,
    https_proxy: Option<Proxy>,
    options: Arc<NetworkOptions>,
}

/// An answer whose body is still to be read.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Where it came from in the end.
    pub(crate) url: String,
    headers: ureq::http::HeaderMap,
    body: Body,
    waited: Duration,
}

impl Network {
    /// Prepares the network; nothing is sent yet.
    ///
    /// # Errors
    /// If a proxy's address or the file of certificates cannot be used.
    pub fn new(options: NetworkOptions) -> Result<Self, RemoteError> {
        let proxy = |written: &Option<String>| {
            let Some(written) = written else {
                return Ok(None);
            };
            Proxy::new(written)
                .map(Some)
                .map_err(|source| RemoteError::Setting {
                    what: format!("the proxy `{}`", host(written)),
                    source: Box::new(source),
                })
        };
        let roots = match &options.certificates {
            None => RootCerts::PlatformVerifier,
            Some(path) => {
                let wrong =
                    |source: Box<dyn std::error::Error + Send + Sync>| RemoteError::Setting {
                        what: format!("the certificates in `{}`", path.display()),
                        source,
                    };
                let text = fs_err::read(path).map_err(|error| wrong(Box::new(error)))?;
                let mut certificates = Vec::new();
                for item in ureq::tls::parse_pem(&text) {
                    if let PemItem::Certificate(it) = item.map_err(|it| wrong(Box::new(it)))? {
                        certificates.push(it);
                    }
                }
                RootCerts::new_with_certs(&certificates)
            }
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("groundtune/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .timeout_resolve(Some(options.connect_timeout))
            .timeout_connect(Some(options.connect_timeout))
            .timeout_recv_response(Some(options.timeout))
            .timeout_per_read(Some(options.timeout))
            .timeout_per_write(Some(options.timeout))
            .build()
            .new_agent();
        Ok(Self {
            agent,
            http_proxy: proxy(&options.http_proxy)?,
            https_proxy: proxy(&options.https_proxy)?,
            options: Arc::new(options),
        })
    }

    /// Returns when a request is tried again.
    pub(crate) fn retry(&self) -> Retry {
        self.options.retry
    }

    /// Asks for `url` once, following redirects. `authorization` goes to the server that
    /// is asked and to no other.
    pub(crate) fn get(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<Reply, RemoteError> {
        self.follow(url, headers, authorization)
            .map(|(_, last)| last)
    }

    /// Like [`Network::get`], but returns what the first server said that said which file
    /// it is: a hub tells that before it sends us on to where the file lies.
    pub(crate) fn get_first(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<Reply, RemoteError> {
        let (first, last) = self.follow(url, headers, authorization)?;
        match first {
            Some(first) => {
                last.accepted(None)?;
                Ok(first)
            }
            None => last.accepted(None),
        }
    }

    /// Follows redirects; returns the first of them that knows the file, and the end.
    fn follow(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<(Option<Reply>, Reply), RemoteError> {
        let mut at = url.to_owned();
        let mut first = None;
        for _ in 0..=MOST_REDIRECTS {
            self.check_online(&at)?;
            let mut request = self.agent.get(&at);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            if let Some(value) = authorization.filter(|_| same_server(url, &at)) {
                request = request.header("Authorization", value);
            }
            let sent = request.config().proxy(self.proxy_for(&at)).build().call();
            let reply = self.reply(&at, sent)?;
            match reply.header("location") {
                Some(next) if matches!(reply.status, 301 | 302 | 303 | 307 | 308) => {
                    let next = join(&at, next);
                    if at.starts_with("https:") && !next.starts_with("https:") {
                        return Err(reply.unexpected("a secure address", &next));
                    }
                    at = next;
                    if first.is_none() && reply.header("x-linked-etag").is_some() {
                        first = Some(reply);
                    }
                }
                _ => return Ok((first, reply)),
            }
        }
        Err(RemoteError::Status {
            host: host(url).into(),
            status: 310,
            message: format!("more than {MOST_REDIRECTS} redirects"),
        })
    }

    /// Sends `body`, which is JSON, to `url` once.
    pub(crate) fn post(
        &self,
        url: &str,
        body: &[u8],
        accept: &str,
        key: Option<&Secret>,
    ) -> Result<Reply, RemoteError> {
        self.check_online(url)?;
        let mut request = self
            .agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("Accept", accept);
        if let Some(key) = key {
            let value = key.bearer().ok_or_else(|| RemoteError::Key {
                host: host(url).into(),
                had_key: true,
                variable: None,
            })?;
            request = request.header("Authorization", value);
        }
        let sent = request
            .config()
            .proxy(self.proxy_for(url))
            .build()
            .send(body);
        self.reply(url, sent)
    }

    fn reply(
        &self,
        url: &str,
        sent: Result<ureq::http::Response<Body>, ureq::Error>,
    ) -> Result<Reply, RemoteError> {
        let response = sent.map_err(|error| failure(url, self.options.timeout, error))?;
        let (parts, body) = response.into_parts();
        Ok(Reply {
            status: parts.status.as_u16(),
            url: url.to_owned(),
            headers: parts.headers,
            body,
            waited: self.options.timeout,
        })
    }

    fn check_online(&self, url: &str) -> Result<(), RemoteError> {
        // What runs on this machine is no network.
        if self.options.offline && !is_here(url) {
            return Err(RemoteError::Offline {
                wanted: host(url).into(),
            });
        }
        Ok(())
    }

    fn proxy_for(&self, url: &str) -> Option<Proxy> {
        let spared = self.options.no_proxy.as_deref().unwrap_or_default();
        if is_here(url) || is_spared(host_name(url), spared) {
            return None;
        }
        if url.starts_with("https:") {
            self.https_proxy.clone()
        } else {
            self.http_proxy.clone()
        }
    }
}

impl Reply {
    /// Returns a header, if it is there and is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns how many bytes the body has, if that is said.
    pub(crate) fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// Returns how long the server asks to wait (RFC 9110, section 10.2.3).
    fn wait(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse::<f64>() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
        let wanted = http_date(text)?;
        Some(wanted.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Returns it if the server agreed, and what it said if it refused. `key` is struck
    /// from that.
    pub(crate) fn accepted(self, key: Option<&Secret>) -> Result<Self, RemoteError> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let (url, status, wait) = (self.url.clone(), self.status, self.wait());
        let host = host(&url).to_owned();
        match status {
            429 => return Err(RemoteError::TooMany { host, wait }),
            503 if wait.is_some() => return Err(RemoteError::TooMany { host, wait }),
            401 | 403 => {
                return Err(RemoteError::Key {
                    host,
                    had_key: key.is_some(),
                    variable: None,
                });
            }
            _ => {}
        }
        // What cannot be read of a refusal does not change that it is one.
        let mut text = Vec::new();
        let _ = self
            .into_body()
            .take(LARGEST_REFUSAL)
            .read_to_end(&mut text);
        let mut message = refusal(&String::from_utf8_lossy(&text));
        if let Some(key) = key {
            message = key.hide_in(&message);
        }
        Err(RemoteError::Status {
            host,
            status,
            message: shortened(&message),
        })
    }

    /// Returns the body to be read piece by piece. Errors are [`io::Error`]s;
    /// [`reading_failed`] says what they mean.
    pub(crate) fn into_body(self) -> impl Read {
        self.body.into_reader()
    }

    /// Returns how long is waited for each piece of the body.
    pub(crate) fn patience(&self) -> Duration {
        self.waited
    }

    /// Reads the whole body, if it is not absurdly large.
    pub(crate) fn read(self) -> Result<Vec<u8>, RemoteError> {
        let (url, waited) = (self.url.clone(), self.waited);
        let mut bytes = Vec::new();
        self.into_body()
            .take(LARGEST_ANSWER + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| reading_failed(&url, waited, error))?;
        if bytes.len() as u64 > LARGEST_ANSWER {
            return Err(unexpected(&url, "less than 256 MiB", "more"));
        }
        Ok(bytes)
    }

    /// Reads the whole body as JSON; `expected` says of what.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(
        self,
        expected: &'static str,
    ) -> Result<T, RemoteError> {
        let url = self.url.clone();
        let bytes = self.read()?;
        serde_json::from_slice(&bytes)
            .map_err(|_| unexpected(&url, expected, &String::from_utf8_lossy(&bytes)))
    }

    fn unexpected(&self, expected: &'static str, found: &str) -> RemoteError {
        unexpected(&self.url, expected, found)
    }
}

/// Returns the error that the server of `url` answered with `found`.
pub(crate) fn unexpected(url: &str, expected: &'static str, found: &str) -> RemoteError {
    RemoteError::Unexpected {
        host: host(url).into(),
        expected,
        found: shortened(&readable(found)),
    }
}

/// Returns what it means that a body could not be read on.
pub(crate) fn reading_failed(url: &str, waited: Duration, error: io::Error) -> RemoteError {
    failure(url, waited, ureq::Error::from(error))
}

fn failure(url: &str, waited: Duration, error: ureq::Error) -> RemoteError {
    let host = host(url).to_owned();
    match error {
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            RemoteError::Connection {
                host,
                source: Box::new(error),
            }
        }
        ureq::Error::Timeout(_) => RemoteError::TimedOut { host, waited },
        ureq::Error::Io(error) if is_timeout(&error) => RemoteError::TimedOut { host, waited },
        ureq::Error::Io(error) if is_break(&error) => RemoteError::Broken {
            host,
            source: Box::new(error),
        },
        // The standard library has no kind of error for names that nobody knows.
        ureq::Error::Io(error) if error.to_string().contains("lookup") => RemoteError::NoHost {
            host,
            source: Box::new(error),
        },
        ureq::Error::HostNotFound => RemoteError::NoHost {
            host,
            source: Box::new(error),
        },
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => RemoteError::Broken {
            host,
            source: Box::new(error),
        },
        error => RemoteError::Connection {
            host,
            source: Box::new(error),
        },
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

fn is_break(error: &io::Error) -> bool {
    use io::ErrorKind as K;
    matches!(
        error.kind(),
        K::ConnectionReset
            | K::ConnectionAborted
            | K::BrokenPipe
            | K::UnexpectedEof
            | K::InvalidData
            | K::NotConnected
    )
}

/// Returns what a refusal says: the message of JSON errors as servers write them, or the
/// text of a page.
fn refusal(text: &str) -> String {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(text) else {
        return readable(text);
    };
    let error = value.get("error").unwrap_or(&value);
    [
        error.get("message"),
        error.get("detail"),
        value.get("message"),
        Some(error),
    ]
    .into_iter()
    .flatten()
    .find_map(|it| it.as_str())
    .map_or_else(|| readable(text), readable)
}

/// Returns a text on one line, an HTML page without its tags, scripts and styles.
fn readable(text: &str) -> String {
    let start = text.trim_start();
    let is_page = start.starts_with('<') && start.contains('>');
    let mut words = String::new();
    if is_page {
        let mut rest = start;
        while let Some(at) = rest.find('<') {
            words.push_str(&rest[..at]);
            words.push(' ');
            rest = &rest[at..];
            for element in ["script", "style"] {
                let open = rest.get(1..=element.len()).unwrap_or_default();
                if open.eq_ignore_ascii_case(element) {
                    let close = format!("</{element}");
                    let at = rest.to_ascii_lowercase().find(&close);
                    rest = at.map_or("", |at| &rest[at..]);
                }
            }
            rest = rest.find('>').map_or("", |at| &rest[at + 1..]);
        }
        words.push_str(rest);
    } else {
        words.push_str(text);
    }
    words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST_MESSAGE) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns the host of `url` without its port.
fn host_name(url: &str) -> &str {
    let host = host(url);
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    }
}

/// Returns whether `url` is of a server on this machine.
fn is_here(url: &str) -> bool {
    let name = host_name(url);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|it| it.is_loopback())
}

/// Returns whether the list `spared` names `host`: as curl reads `NO_PROXY`.
fn is_spared(host: &str, spared: &str) -> bool {
    let host = host.to_ascii_lowercase();
    spared.split(',').map(str::trim).any(|entry| {
        let entry = entry.trim_start_matches("*.").trim_start_matches('.');
        let entry = entry.to_ascii_lowercase();
        entry == "*" || !entry.is_empty() && (host == entry || host.ends_with(&format!(".{entry}")))
    })
}

/// Reads a date as HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn http_date(text: &str) -> Option<SystemTime> {
    let mut words = text.split_whitespace().skip(1);
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = months.iter().position(|it| *it == month)? as i64 + 1;
    let year: i64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(str::parse::<i64>);
    let mut next = || clock.next()?.ok();
    let (hours, minutes, seconds) = (next()?, next()?, next()?);
    // Days since 1970 (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = ((days * 24 + hours) * 60 + minutes) * 60 + seconds;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_are_not_taken_where_they_are_not_wanted() {
        for (host, spared, expect) in [
            ("x.test", "y.test, x.test", true),
            ("a.x.test", "x.test", true),
            ("a.x.test", ".x.test", true),
            ("a.x.test", "*.x.test", true),
            ("ax.test", "x.test", false),
            ("x.test", "*", true),
            ("x.test", "", false),
        ] {
            assert_eq!(is_spared(host, spared), expect, "{host} {spared}");
        }
        assert!(is_here("http://127.0.0.1:80/") && is_here("http://[::1]:80/x"));
        assert!(!is_here("http://127.0.0.1.x.test/"));
    }

    #[test]
    fn refusals_are_read_as_people_would() {
        for (text, expect) in [
            (
                r#"{"error":{"message":"no such model","code":1}}"#,
                "no such model",
            ),
            (r#"{"error":"over quota"}"#, "over quota"),
            (r#"{"detail":"not here"}"#, "not here"),
            (
                "<html><style>a{}</style><body><h1>502</h1>\n Bad <b>Gateway</b></body>",
                "502 Bad Gateway",
            ),
            ("plain\n text", "plain text"),
        ] {
            assert_eq!(refusal(text), expect, "{text}");
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        let date = http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let since = date.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(since.as_secs(), 784_111_777);
        assert_eq!(http_date("soon"), None);
    }

    #[test]
    fn a_proxy_with_a_password_is_not_shown() {
        let options = NetworkOptions {
            https_proxy: Some("http://u:secret@x.test:1".into()),
            ..NetworkOptions::default()
        };
        assert!(!format!("{options:?}").contains("secret"));
        let options = NetworkOptions {
            https_proxy: Some("gopher://u:secret@x.test:1".into()),
            ..NetworkOptions::default()
        };
        let error = Network::new(options).err().unwrap();
        assert!(
            !format!("{error:?} {error}").contains("secret"),
            "{error:?}"
        );
    }
}
