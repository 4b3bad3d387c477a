//! A run as a page: its stages from the data to the model that can be used, how far each is, and
//! the curves. While the run goes on, a browser reads the page again by itself.

use std::fmt::{self, Write as _};
use std::path::Path;

use crate::run::RunDescription;
use crate::train::{Event, Why};

/// How far a run is, as its events tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stages {
    /// Steps that are done, and how many there will be at most.
    steps: (u64, u64),
    parameters: usize,
    loss: Option<f64>,
    learning_rate: f64,
    tokens_per_second: f64,
    seconds_left: Option<f64>,
    /// The last loss on what is not learnt, and the best with its step.
    dev: Option<f64>,
    best: Option<(u64, f64)>,
    overfitting: Option<u64>,
    saved: Option<u64>,
    ended: Option<Why>,
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Done,
    Now,
    Waits,
    /// There is nothing to be done.
    Off,
}

impl Stages {
    /// Reads the lines of `events.jsonl`; a torn one is passed over.
    pub(crate) fn of_events(lines: &str) -> Self {
        let mut stages = Self::default();
        for event in lines.lines().flat_map(serde_json::from_str) {
            stages.take(&event);
        }
        stages
    }

    /// Goes on by an event.
    pub(crate) fn take(&mut self, event: &Event) {
        match event {
            Event::Started {
                step,
                steps,
                parameters,
                ..
            } => {
                self.steps = (*step, *steps);
                self.parameters = *parameters;
                self.ended = None;
            }
            Event::Step {
                step,
                steps,
                loss,
                learning_rate,
                tokens_per_second,
                seconds_left,
                ..
            } => {
                self.steps = (*step, *steps);
                self.loss = Some(*loss);
                self.learning_rate = *learning_rate;
                self.tokens_per_second = *tokens_per_second;
                self.seconds_left = *seconds_left;
            }
            Event::Examined {
                step, loss, best, ..
            } => {
                self.dev = Some(*loss);
                if *best {
                    self.best = Some((*step, *loss));
                }
            }
            Event::Overfitting { step, .. } => self.overfitting = Some(*step),
            Event::Saved { step } => self.saved = Some(*step),
            Event::Ended { why, .. } => self.ended = Some(*why),
            Event::Spike { .. } => {}
        }
    }

    /// Returns the page of the run in `folder`, with its curves as a picture in SVG.
    ///
    /// # Errors
    /// Never but as `write!` into a text does.
    pub(crate) fn page(
        &self,
        folder: &Path,
        run: &RunDescription,
        curves: &str,
    ) -> Result<String, fmt::Error> {
        let mut page = String::new();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let (name, model) = (escaped(&name), escaped(&run.model));
        let again = match self.ended {
            None => "<meta http-equiv=\"refresh\" content=\"5\">",
            Some(_) => "",
        };
        let state = match self.ended {
            None => self.step(),
            Some(Why::Done) => "done".to_owned(),
            Some(Why::NothingBetter) => "done: nothing got better".to_owned(),
            Some(Why::Stopped) => format!(
                "stopped after step {}; <code>groundtune train --resume</code> goes on",
                thousands(self.steps.0)
            ),
        };
        write!(
            page,
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">{again}\
             <meta name=\"viewport\" content=\"width=device-width\">\
             <title>Run {name}: {}</title><style>{STYLE}</style></head><body>\
             <h1>Run {name}</h1><p>{model} · {state}</p><ol>",
            state.split("; ").next().unwrap_or_default(),
        )?;
        for (head, how, lines) in self.stages(run) {
            let class = match how {
                How::Done => "done",
                How::Now => "now",
                How::Waits => "waits",
                How::Off => "off",
            };
            write!(page, "<li class=\"{class}\"><h2>{head}</h2>")?;
            for line in lines {
                write!(page, "<p>{line}</p>")?;
            }
            page.push_str("</li>");
        }
        let most = self.steps.1.max(1);
        writeln!(
            page,
            "</ol><progress max=\"{most}\" value=\"{}\"></progress>{curves}\
             <p><small>groundtune {}, seed {}, data {}. The recipe is in <code>recipe.toml</code>, \
             what happened in <code>events.jsonl</code>.</small></p></body></html>",
            self.steps.0,
            escaped(&run.version),
            run.seed,
            escaped(&run.data),
        )?;
        Ok(page)
    }

    fn step(&self) -> String {
        let (step, steps) = self.steps;
        format!("step {} of {}", thousands(step), thousands(steps))
    }

    /// Returns the stages in their order: name, how far, and what is known of each.
    fn stages(&self, run: &RunDescription) -> Vec<(&'static str, How, Vec<String>)> {
        let ended = matches!(self.ended, Some(Why::Done | Why::NothingBetter));
        let mut files: Vec<String> = run.files.iter().take(FILES).map(|it| named(it)).collect();
        match run.files.len().saturating_sub(FILES) {
            0 => {}
            more => files.push(format!("and {}", count(more, "other"))),
        }
        if run.left_out > 0 {
            files.push(format!("{} left out", count(run.left_out, "example")));
        }
        let (learnt, examined) = run.examples;
        let examples = vec![
            format!("{} to learn", thousands(learnt as u64)),
            format!("{} to be examined on", thousands(examined as u64)),
            format!("{} an epoch", count(run.tokens, "token")),
        ];
        let from = match &run.base {
            Some(base) => format!("from {}", named(base)),
            None => "new".to_owned(),
        };
        let model = vec![from, format!("{} learnt", count(self.parameters, "number"))];
        let mut learning = vec![self.step()];
        if let Some(loss) = self.loss {
            learning.push(format!("loss {loss:.3}, rate {:.2e}", self.learning_rate));
            learning.push(format!(
                "{} tokens a second",
                thousands(self.tokens_per_second as u64)
            ));
        }
        if let (None, Some(left)) = (self.ended, self.seconds_left) {
            learning.push(format!("{:.0} min left", (left / 60.0).ceil()));
        }
        let mut found = Vec::new();
        found.extend(self.dev.map(|dev| format!("loss {dev:.3}")));
        found.extend(
            self.best
                .map(|(step, loss)| format!("best {loss:.3}, at step {}", thousands(step))),
        );
        found.extend(
            self.overfitting
                .map(|step| format!("learns by heart since step {}", thousands(step))),
        );
        let saved = self.saved.map_or("none yet".to_owned(), |step| {
            format!("after step {}", thousands(step))
        });
        let result = run.result.folder();
        let result = match ended {
            true => vec![
                format!("in <code>{result}</code>"),
                "the run's name is its name".to_owned(),
            ],
            false => vec![format!("will be in <code>{result}</code>")],
        };
        let goes_on = |begun: bool| match (self.ended, begun) {
            (Some(_), _) => How::Done,
            (None, true) => How::Now,
            (None, false) => How::Waits,
        };
        vec![
            ("Files", How::Done, files),
            ("Examples", How::Done, examples),
            ("Model", How::Done, model),
            ("Learning", goes_on(true), learning),
            (
                "Examination",
                match examined {
                    0 => How::Off,
                    _ => goes_on(self.dev.is_some()),
                },
                found,
            ),
            ("States", goes_on(self.saved.is_some()), vec![saved]),
            (
                "Ready for use",
                if ended { How::Done } else { How::Waits },
                result,
            ),
        ]
    }
}

/// The files that are named.
const FILES: usize = 3;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;\
padding:0 1rem;color:#1c1f24;background:#fff}h1{font-size:1.4rem;margin:0}\
ol{display:flex;flex-wrap:wrap;gap:1.4rem;list-style:none;margin:1.2rem 0;padding:0}\
li{position:relative;flex:1 1 7.5rem;border:1px solid #c9ced6;border-top:4px solid #c9ced6;\
border-radius:6px;padding:.5rem .7rem;overflow-wrap:anywhere}li+li::before{content:'→';\
position:absolute;left:-1.25rem;top:.4rem;color:#6b7280}li h2{font-size:.95rem;margin:0}\
li p{margin:.15rem 0 0;font-size:.85rem;color:#4b5563}li.done{border-top-color:#2f7d4f}\
li.now{border-top-color:#c2410c;background:#fff7ed}li.waits,li.off{color:#6b7280}\
progress{width:100%;height:.6rem}svg{width:100%;max-width:48rem;display:block;margin:1rem 0}";

/// Returns the name of a file or folder, as text of a page.
fn named(path: &Path) -> String {
    escaped(
        &path
            .file_name()
            .unwrap_or(path.as_os_str())
            .to_string_lossy(),
    )
}

/// Returns a text that is no markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Returns so many of something: `1 token`, `2,400 tokens`.
fn count(number: usize, what: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {what}{s}", thousands(number as u64))
}

/// Returns a number with its thousands apart.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunResult;

    fn description() -> RunDescription {
        RunDescription {
            version: "0.1.0".into(),
            seed: 7,
            data: "abc".into(),
            files: vec!["/data/a<b>.jsonl".into()],
            examples: (1200, 60),
            base: Some("/models/small".into()),
            model: "llama & co".into(),
            result: RunResult::Adapter,
            tokens: 45_000,
            left_out: 1,
            prompts: true,
        }
    }

    const BEGUN: &str = "\
{\"event\":\"started\",\"step\":0,\"steps\":2000,\"examples\":1200,\"parameters\":9000}
{\"event\":\"examined\",\"step\":0,\"loss\":4.0,\"training_loss\":null,\"metrics\":{},\"best\":false}
{\"event\":\"step\",\"step\":1,\"steps\":2000,\"loss\":3.5,\"gradient_norm\":1.0,\"learning_rate\":1e-4,\"tokens\":64,\"tokens_per_second\":5000.0,\"seconds_left\":90.0}
{\"event\":\"examined\",\"step\":1,\"loss\":3.0,\"training_loss\":3.5,\"metrics\":{},\"best\":true}
cut sho";

    fn page(events: &str) -> String {
        let stages = Stages::of_events(events);
        let folder = Path::new("runs/0003");
        stages.page(folder, &description(), "<svg></svg>").unwrap()
    }

    #[test]
    fn each_stage_is_there_and_the_page_is_read_again_while_it_goes_on() {
        let found = page(BEGUN);
        for expect in [
            "http-equiv=\"refresh\"",
            "<li class=\"now\"><h2>Learning</h2><p>step 1 of 2,000</p><p>loss 3.500, rate 1.00e-4</p>",
            "<li class=\"now\"><h2>Examination</h2><p>loss 3.000</p><p>best 3.000, at step 1</p>",
            "<li class=\"waits\"><h2>States</h2><p>none yet</p>",
            "<li class=\"waits\"><h2>Ready for use</h2><p>will be in <code>adapter</code></p>",
            "<p>2 min left</p>",
            "45,000 tokens an epoch",
            "1 example left out",
            "<progress max=\"2000\" value=\"1\">",
        ] {
            assert!(found.contains(expect), "{expect} is not in {found}");
        }
    }

    #[test]
    fn a_run_that_ended_stays_as_it_is() {
        let done = page(&format!(
            "{}\n{{\"event\":\"ended\",\"step\":2000,\"why\":\"done\"}}",
            BEGUN.trim_end_matches("cut sho").trim_end()
        ));
        assert!(!done.contains("refresh"), "{done}");
        assert!(done.contains("<li class=\"done\"><h2>Ready for use</h2>"));
        let stopped = page("{\"event\":\"ended\",\"step\":5,\"why\":\"stopped\"}");
        assert!(stopped.contains("--resume") && stopped.contains("waits\"><h2>Ready"));
    }

    #[test]
    fn names_are_no_markup() {
        let found = page(BEGUN);
        assert!(found.contains("a&lt;b&gt;.jsonl") && found.contains("llama &amp; co"));
        assert!(!found.contains("<b>"));
    }
}
