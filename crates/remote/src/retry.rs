//! When a request that failed is tried again, and after which pause.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use crate::RemoteError;

/// A server that asks for more patience than this is not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(120);
/// While waiting, somebody may want to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How often and how patiently a request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Further attempts after the first.
    pub times: u32,
    /// The pause before the second attempt; it doubles with each.
    pub first_pause: Duration,
    /// No pause is longer, unless the server asks for it.
    pub longest_pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            times: 4,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(20),
        }
    }
}

impl Retry {
    /// Returns how long to wait after `error` before the attempt numbered `attempt`
    /// (the second is 1), or nothing if it is no use.
    ///
    /// The pause doubles and is shortened at random by up to half ("equal jitter",
    /// Brooker 2015), so that those who failed together do not come back together.
    pub(crate) fn pause(&self, attempt: u32, error: &RemoteError) -> Option<Duration> {
        if attempt > self.times {
            return None;
        }
        let asked = match error {
            RemoteError::TooMany { wait, .. } => *wait,
            RemoteError::Connection { .. } | RemoteError::Broken { .. } => None,
            // Those with which servers and proxies say that it is not the request's fault.
            RemoteError::Status {
                status: 500 | 502 | 503 | 504 | 529,
                ..
            } => None,
            _ => return None,
        };
        let doubled = self
            .first_pause
            .saturating_mul(1 << (attempt - 1).min(20))
            .min(self.longest_pause);
        let pause = doubled.mul_f64(0.5 + 0.5 * random_share());
        match asked {
            Some(asked) if asked > LONGEST_WAIT => None,
            Some(asked) => Some(asked.max(pause)),
            None => Some(pause),
        }
    }

    /// Returns what `ask` gives, asked again as long as its error may pass. `told` hears
    /// of each error before the pause that follows it, and may end it all.
    pub(crate) fn persist<T>(
        &self,
        mut ask: impl FnMut() -> Result<T, RemoteError>,
        mut told: impl FnMut(&RemoteError, Duration) -> Result<(), RemoteError>,
    ) -> Result<T, RemoteError> {
        let mut attempt = 1;
        loop {
            let error = match ask() {
                Ok(given) => return Ok(given),
                Err(error) => error,
            };
            let Some(pause) = self.pause(attempt, &error) else {
                return Err(error);
            };
            told(&error, pause)?;
            sleep(pause, &mut || ControlFlow::Continue(()))?;
            attempt += 1;
        }
    }
}

/// Returns a number from 0 to 1: the seed of the standard library's hash maps, which is
/// a different one each time.
fn random_share() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Sleeps for `pause`, unless `go_on` breaks.
pub(crate) fn sleep(
    pause: Duration,
    go_on: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<(), RemoteError> {
    let end = Instant::now() + pause;
    loop {
        if go_on().is_break() {
            return Err(RemoteError::Stopped);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> RemoteError {
        RemoteError::Status {
            host: "x".into(),
            status,
            message: String::new(),
        }
    }

    #[test]
    fn pauses_double_and_end() {
        let retry = Retry {
            times: 3,
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(3),
        };
        for (attempt, low, high) in [(1, 0.5, 1.0), (2, 1.0, 2.0), (3, 1.5, 3.0)] {
            let pause = retry.pause(attempt, &status(503)).unwrap().as_secs_f64();
            assert!((low..=high).contains(&pause), "{attempt}: {pause}");
        }
        assert_eq!(retry.pause(4, &status(503)), None);
        assert_eq!(retry.pause(1, &status(400)), None);
    }

    #[test]
    fn a_server_may_ask_for_more_patience_but_not_for_too_much() {
        let asked = |seconds| RemoteError::TooMany {
            host: "x".into(),
            wait: Some(Duration::from_secs(seconds)),
        };
        let retry = Retry::default();
        assert_eq!(retry.pause(1, &asked(30)), Some(Duration::from_secs(30)));
        assert_eq!(retry.pause(1, &asked(3600)), None);
    }
}
