//! The questions, asked one by one on stderr and answered on stdin.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use groundtune::advise::{
    Answers, Kind, Part, Proposal, QUESTIONS, Question, advise, get, is_unknown, set,
};

use crate::command_error::CommandError;
use crate::interrupt;
use crate::ui::{Style, Ui, printable, wrap};

/// How often it is looked whether Ctrl-C was pressed.
const BLINK: Duration = Duration::from_millis(50);

/// A longer line is no answer.
const LONGEST_LINE: u64 = 1 << 16;

/// How the questions ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There was nothing more to ask, or nobody answers any more.
    Done,
    /// By Ctrl-C.
    Interrupted,
}

/// Asks what `answers` leave open. What is proposed for a question is its default.
pub(super) fn interview(
    answers: &mut Answers,
    proposals: &[Proposal],
    ui: &Ui,
) -> Result<Ended, CommandError> {
    interrupt::listen();
    let typed = io::stdin().is_terminal();
    let lines = read_lines();
    // What was answered before is not asked.
    let open: Vec<&Question> = QUESTIONS
        .iter()
        .filter(|it| get(answers, it.key).is_none())
        .collect();
    if typed {
        let lead = "Enter takes what stands in brackets. `?` explains, `back` goes back, `done` \
                    leaves the rest open.";
        for line in wrap(lead, ui.width()) {
            ui.note(format_args!("{}", ui.paint_error(Style::Faint, &line)));
        }
    }
    // The questions that were asked, to go back to.
    let mut asked: Vec<usize> = Vec::new();
    let mut place = 0;
    while let Some(question) = open.get(place) {
        if !is_worth_asking(question, answers) {
            place += 1;
            continue;
        }
        let proposal = proposals.iter().find(|it| it.key == question.key);
        if typed {
            put(ui, question, asked.len() + 1, proposal)?;
        }
        let line = match next_line(&lines)? {
            Line::Said(line) => line,
            Line::End => {
                if typed {
                    ui.note(format_args!(""));
                }
                take_the_rest(answers, proposals, &open[place..]);
                return Ok(Ended::Done);
            }
            Line::Interrupted => return Ok(Ended::Interrupted),
        };
        match line.trim() {
            "?" => explain(ui, question),
            "back" => match asked.pop() {
                Some(before) => {
                    place = before;
                    set(answers, open[place].key, "unknown").map_err(CommandError::failed)?;
                }
                None => ui.note(format_args!("This is the first question.")),
            },
            "done" => {
                take_the_rest(answers, proposals, &open[place..]);
                return Ok(Ended::Done);
            }
            said => {
                if said.is_empty()
                    && let Some(proposal) = proposal
                {
                    proposal.take(answers);
                } else if let Err(error) = set(answers, question.key, said) {
                    if !typed {
                        // To ask again would take the next question's answer for this one's.
                        return Err(CommandError::usage(error));
                    }
                    ui.warn(format_args!("{}", printable(&error.to_string())));
                    continue;
                }
                asked.push(place);
                place += 1;
            }
        }
    }
    Ok(Ended::Done)
}

/// Answers what was not asked with what is proposed.
fn take_the_rest(answers: &mut Answers, proposals: &[Proposal], open: &[&Question]) {
    for proposal in proposals {
        if open.iter().any(|it| it.key == proposal.key) {
            proposal.take(answers);
        }
    }
}

/// Returns whether the answer can matter, after what was answered before.
fn is_worth_asking(question: &Question, answers: &Answers) -> bool {
    let some = |count: Option<f64>| count.is_some_and(|it| it > 0.0);
    match question.key {
        "examples_good" => some(answers.examples),
        "document_bytes" => some(answers.documents),
        // How often answers must catch up is no question where nothing changes.
        "updates" => get(answers, "changes").is_none_or(|it| it != "never"),
        // Only training takes an estimate of time, memory and money worth asking for.
        _ if question.part == Part::Estimate => advise(answers, None).recommendation.trains(),
        _ => true,
    }
}

/// Shows a question, its choices and its default, and leaves the cursor behind it.
fn put(ui: &Ui, question: &Question, number: usize, proposal: Option<&Proposal>) -> io::Result<()> {
    let asks = ui.paint_error(Style::Strong, question.asks);
    ui.note(format_args!("\n{number}. {asks}"));
    match question.kind {
        Kind::Choice(choices) if question.part == Part::Six => {
            for choice in choices {
                let means = ui.paint_error(Style::Faint, choice.means);
                ui.note(format_args!("   {:<12}{means}", choice.word));
            }
        }
        Kind::Choice(choices) => {
            let words: Vec<_> = choices.iter().map(|it| it.word).collect();
            for line in wrap(&words.join(", "), ui.width().saturating_sub(3)) {
                ui.note(format_args!("   {line}"));
            }
        }
        kind => ui.note(format_args!(
            "   {}",
            ui.paint_error(Style::Faint, &kind.expects())
        )),
    }
    let default = match proposal {
        Some(proposal) => format!("{}, from {}", proposal.answer, proposal.seen),
        None => "don't know".into(),
    };
    ui.ask(format_args!("   [{default}] > "))
}

/// Explains a question.
fn explain(ui: &Ui, question: &Question) {
    for line in wrap(question.explains, ui.width().saturating_sub(3)) {
        ui.note(format_args!("   {line}"));
    }
    if let Kind::Choice(choices) = question.kind {
        for choice in choices {
            ui.note(format_args!("   {:<16}{}", choice.word, choice.means));
        }
    }
}

/// What came from stdin.
enum Line {
    Said(String),
    End,
    Interrupted,
}

/// Returns the next line, or that Ctrl-C was pressed while waiting for it.
fn next_line(lines: &Receiver<io::Result<Vec<u8>>>) -> Result<Line, CommandError> {
    loop {
        if interrupt::asked() {
            return Ok(Line::Interrupted);
        }
        match lines.recv_timeout(BLINK) {
            Ok(line) => {
                let line = line?;
                if line.len() as u64 > LONGEST_LINE {
                    return Err(CommandError::usage("an answer is longer than 64 KiB"));
                }
                let text = String::from_utf8(line)
                    .map_err(|_| CommandError::usage("an answer is not text: it is not UTF-8"))?;
                // A blank line is an answer of its own: "don't know".
                debug_assert!(is_unknown("") && !text.is_empty());
                return Ok(Line::Said(text));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(Line::End),
        }
    }
}

/// Reads lines on a thread of its own, for nothing ends a read that waits. It ends with the
/// program.
fn read_lines() -> Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        loop {
            let mut line = Vec::new();
            let read = io::Read::take(io::stdin().lock(), LONGEST_LINE + 1)
                .read_until(b'\n', &mut line)
                .map(|_| line);
            let (over, failed) = (read.as_ref().is_ok_and(Vec::is_empty), read.is_err());
            if over || sender.send(read).is_err() || failed {
                return;
            }
        }
    });
    receiver
}
