//! A model on a server, which may die in the middle of a comparison.
//!
//! A request that failed was tried again for some seconds already. When several in a row came to
//! nothing, and not for what they asked, nobody answers any more: thousands of further questions
//! would each wait as long and be counted as wrong.

use std::ops::ControlFlow;
use std::sync::Mutex;

use contract::promise::Room;
use contract::{Completion, Generate, PromiseError, Prompt, Tokens};
use remote::RemoteError;

use crate::ingest::sentence;

/// So many requests in a row come to nothing before nobody is asked any more.
const IN_A_ROW: usize = 3;

/// A model that writes, and whether it still does.
pub(super) struct Served {
    generator: Box<dyn Generate>,
    failures: Mutex<Failures>,
}

#[derive(Default)]
struct Failures {
    in_a_row: usize,
    last: String,
}

impl Served {
    pub(super) fn new(generator: Box<dyn Generate>) -> Self {
        Self {
            generator,
            failures: Mutex::default(),
        }
    }

    /// Returns why it does not answer any more, if so.
    pub(super) fn gone(&self) -> Option<String> {
        let failures = self.failures.lock().expect("nobody panics holding it");
        (failures.in_a_row >= IN_A_ROW).then(|| failures.last.clone())
    }
}

impl Generate for Served {
    fn name(&self) -> &str {
        self.generator.name()
    }

    fn room(&self, prompt: &Prompt) -> Result<Option<Room>, PromiseError> {
        self.generator.room(prompt)
    }

    fn generate(
        &self,
        prompt: &Prompt,
        max_tokens: Tokens,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Completion, PromiseError> {
        let found = self.generator.generate(prompt, max_tokens, sink);
        let mut failures = self.failures.lock().expect("nobody panics holding it");
        match &found {
            Err(error) if is_of_server(error) => {
                failures.in_a_row += 1;
                failures.last = sentence(error);
            }
            _ => failures.in_a_row = 0,
        }
        found
    }
}

/// Returns whether a request failed, and another would too: not for what it asked.
fn is_of_server(error: &PromiseError) -> bool {
    match error.source.downcast_ref::<RemoteError>() {
        Some(RemoteError::Status { status, .. }) => *status >= 500,
        Some(RemoteError::Unexpected { .. }) | None => false,
        Some(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with what stands first, each time with the next.
    struct Fails(Mutex<Vec<Option<u16>>>);

    impl Generate for Fails {
        fn name(&self) -> &str {
            "fails"
        }

        fn generate(
            &self,
            _: &Prompt,
            _: Tokens,
            _: &mut dyn FnMut(&str) -> ControlFlow<()>,
        ) -> Result<Completion, PromiseError> {
            match self.0.lock().unwrap().remove(0) {
                Some(status) => Err(PromiseError {
                    who: "fails".into(),
                    source: Box::new(RemoteError::Status {
                        host: "here".into(),
                        status,
                        message: String::new(),
                    }),
                }),
                None => Ok(Completion {
                    text: "yes".into(),
                    prompt_tokens: Tokens(1),
                    completion_tokens: Tokens(1),
                }),
            }
        }
    }

    #[test]
    fn a_server_is_gone_when_several_requests_in_a_row_fail_for_its_sake() {
        let check = |statuses: &[Option<u16>], expect: bool| {
            let served = Served::new(Box::new(Fails(Mutex::new(statuses.to_vec()))));
            let prompt = contract::render(contract::Template::default(), "a", &[]);
            for _ in statuses {
                let _ = served.generate(&prompt, Tokens(1), &mut |_| ControlFlow::Continue(()));
            }
            assert_eq!(served.gone().is_some(), expect, "{statuses:?}");
        };
        check(&[Some(503), Some(500), Some(503)], true);
        check(&[Some(503), Some(500), None, Some(503)], false);
        // Too long a prompt says nothing of the next.
        check(&[Some(400), Some(413), Some(400)], false);
        check(&[], false);
    }
}
