//! What a comparison asks of an encoder, whatever it tells: labels of texts, names in them, or
//! answers that stand there.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use contract::Evidence;
use eval::Gold;
use model::{Classifier, HeadOptions, Reader, ReaderOptions, TokenClassifier};

use super::base::Answers;
use super::evidence::{Findings, Shown, Trial};
use super::neighbours::Neighbours;
use super::{Arm, CompareError, Freshness, Task};
use crate::Error;

/// An encoder whose candidates are compared.
pub(super) trait Encoder {
    /// Returns what it does with a text.
    fn task(&self) -> Task;

    /// Returns why it cannot be taught, if so.
    fn unteachable(&self) -> Option<&'static str>;

    /// Returns the labelled examples that its candidates look at. Nothing, where what is found
    /// are passages of the documents.
    fn examples(&self) -> Option<&dyn Examples> {
        None
    }

    /// Tries each number of voters on the development questions; for each, the threshold with
    /// which most are answered rightly. The best first; of equals, the one with fewer voters.
    ///
    /// # Errors
    /// If the encoder cannot read the questions.
    fn trials(&self, findings: &Findings, dev: &[Gold]) -> Result<Vec<Trial>, CompareError>;

    /// Returns which part the neighbours have in a hybrid's probabilities: that which makes the
    /// right answers to the development questions likeliest, from none to nine tenths. Nothing,
    /// where there are none: where passages are found, they are read, and do not vote.
    ///
    /// # Errors
    /// If the taught encoder cannot read the questions.
    fn part(
        &self,
        taught: &TaughtEncoder,
        findings: &Findings,
        shown: &Shown,
        dev: &[Gold],
    ) -> Result<Option<f64>, CompareError> {
        let _ = (taught, findings, shown, dev);
        Ok(None)
    }

    /// Returns how a candidate answers.
    fn contestant<'a>(
        &'a self,
        arm: Arm,
        taught: Option<&'a TaughtEncoder>,
    ) -> Box<dyn Answers + 'a>;
}

/// Labelled examples that may be learnt from, of which the nearest are found for a text; and what
/// drills do to them.
pub(super) trait Examples {
    /// Returns the texts of the examples, of which the nearest are found.
    fn neighbours(&self) -> &Neighbours;

    /// Says how many of `asked` have what is right among what is shown, and of how many the
    /// votes of these are right.
    ///
    /// # Errors
    /// If the encoder cannot read the questions.
    fn trial(
        &self,
        findings: &Findings,
        asked: &[Gold],
        shown: Shown,
    ) -> Result<Trial, CompareError>;

    /// Reads those anew whose number `keep` keeps, and has no others.
    ///
    /// # Errors
    /// If the encoder cannot read them.
    fn only(&self, keep: &dyn Fn(usize) -> bool) -> Result<Box<dyn Examples>, CompareError>;

    /// Returns whether an example that was found says something that is right for a question.
    fn tells(&self, found: &Evidence, asked: &Gold) -> bool;

    /// Returns a copy of an example, as near as it is, that says something else than is right
    /// for the question, and what an answer then is that follows it; `number` chooses what else.
    /// Nothing, where nothing else could be said.
    fn contradiction(
        &self,
        found: &Evidence,
        asked: &Gold,
        number: usize,
    ) -> Option<(Evidence, String)>;

    /// Returns whether an answer says all that is right and nothing else.
    fn is_right(&self, said: &str, asked: &Gold) -> bool;

    /// Returns whether an answer follows a contradiction that would have it say `instead`.
    fn follows(&self, said: &str, instead: &str) -> bool;

    /// Changes what examples say and asks every candidate again. Returns nothing where that
    /// cannot be: tags stand in each example by themselves.
    ///
    /// # Errors
    /// If the encoder cannot read the examples.
    fn pass_round(
        &self,
        contestants: &[(Arm, Option<&TaughtEncoder>)],
        test: &[Gold],
        shown: &Shown,
        tell: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Option<BTreeMap<Arm, Freshness>>, CompareError> {
        let _ = (contestants, test, shown, tell);
        Ok(None)
    }
}

/// An encoder that was taught what its head is for.
pub(super) struct TaughtEncoder {
    pub(super) head: Head,
    /// The part of the probabilities that comes from the nearest examples.
    pub(super) neighbours: f64,
}

/// What stands on it.
pub(super) enum Head {
    /// Tells labels.
    Classes(Classifier),
    /// Tells names.
    Tags(TokenClassifier),
    /// Finds answers.
    Spans(Reader),
}

impl TaughtEncoder {
    /// Opens the model that teaching has left in a folder. `neighbours` is their part in its
    /// probabilities.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub(super) fn open(task: Task, model: &Path, neighbours: f64) -> Result<Self, CompareError> {
        let options = HeadOptions::default();
        let head = match task {
            Task::Tag => TokenClassifier::open(model, &options).map(Head::Tags),
            Task::Find => Reader::open(model, &ReaderOptions::default()).map(Head::Spans),
            Task::Label | Task::Write => Classifier::open(model, &options).map(Head::Classes),
        };
        Ok(Self {
            head: head.map_err(Error::from)?,
            neighbours,
        })
    }
}
