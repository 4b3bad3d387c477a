//! Journey 1: a question → evidence → an answer with numbered citations, or "not in
//! the documents".
//!
//! Without a generator the answer is extractive: sentences of the evidence. With one,
//! what it writes is held against the evidence sentence by sentence
//! ([`search::Grounding`]); an encoder that was taught to finds it there, word for word.
//! With or without one, a question for which no evidence reaches
//! the threshold is not answered; unless a router sends it to the model alone
//! ([`crate::route`]).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{
    Answer, Citation, DocumentId, Embed, Embedding, Evidence, Generate, Reader, Rerank, Share,
    TextRole, Tokens, render,
};
use search::{
    Filter, Grounded, GroundedSentence, Grounding, OpenReport, RetrievalRecipe, SearchReply,
    SearchRequest, Searcher,
};

use crate::fit::{Fitted, fit};
use crate::ingest::given_embedder;
use crate::models::{Answerer, ModelUse};
use crate::route::{Crossroads, Route, RouteTaken, Routing};
use crate::{Environment, Error, Project, config};

pub use crate::fit::EvidenceCut;

/// What an answer says when the evidence does not bear on the question.
pub const NOT_IN_THE_DOCUMENTS: &str = "not in the documents";

/// A project opened to be asked, with the models that help.
///
/// Every question sees the last commit of the store: what was ingested a moment ago
/// is found, and what was removed is not.
pub struct Session {
    searcher: Searcher,
    recipe: RetrievalRecipe,
    threshold: Share,
    embedder: Option<Box<dyn Embed>>,
    reranker: Option<Box<dyn Rerank>>,
    answerer: Option<Answerer>,
    template: contract::Template,
    writing: config::Answer,
    crossroads: Crossroads,
    /// How a question is put to a model that answers alone.
    alone: contract::Template,
    /// What was found out about the indexes on opening.
    pub report: OpenReport,
}

/// What is asked, by whom, and what of the project's recipe is otherwise this time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// Its vector, where the documents brought theirs and no embedder is at hand.
    pub vector: Option<Vec<f32>>,
    /// Who asks.
    pub reader: Reader,
    /// What its documents must be.
    pub filter: Option<Filter>,
    /// How many pieces of evidence; the project's number if nothing is said.
    pub top_k: Option<usize>,
    /// The least score that counts. For [`Session::ask`] the project's threshold if
    /// nothing is said; [`Session::search`] shows everything then.
    pub threshold: Option<Share>,
}

/// An answer, and the search it rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct AskReply {
    /// The answer.
    pub answer: Answer,
    /// What was found for it.
    pub search: Arc<SearchReply>,
    /// The threshold it had to reach.
    pub threshold: Share,
    /// Embedding the question.
    pub embedding: Duration,
    /// Putting the answer together from the evidence, or having it written.
    pub answering: Duration,
    /// What a model wrote, if one did.
    pub written: Option<Written>,
    /// Where the answer comes from, and why from there.
    pub route: RouteTaken,
}

/// Who wrote an answer, or found it, and how it stood up to the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// The model.
    pub generator: String,
    /// The answer's sentences, also those that were dropped, with what supports them; none
    /// of an answer that was found, for it is the evidence's own words.
    pub sentences: Vec<GroundedSentence>,
    /// Numbers that the model cited and that are no evidence's; they were left out.
    pub unknown_citations: Vec<u32>,
    /// What of the evidence the model was not given, if it has no room for all.
    pub cut: Option<EvidenceCut>,
}

impl Session {
    /// Opens the project's store to be asked. Fails if nothing was ingested yet.
    pub fn open(project: &Project) -> Result<Self, Error> {
        let (searcher, report) = project.open_searcher()?;
        Ok(Self {
            searcher,
            recipe: project.retrieval_recipe(),
            threshold: project.config.retrieval.threshold,
            embedder: None,
            reranker: None,
            answerer: None,
            template: project.config.prompt.template,
            writing: project.config.answer.clone(),
            crossroads: Crossroads::default(),
            alone: project.config.route.template,
            report,
        })
    }

    /// Opens the models that help with finding and that the project's configuration
    /// names, and lets them help.
    pub fn with_models(
        mut self,
        project: &Project,
        environment: &Environment,
    ) -> Result<Self, Error> {
        self.embedder = project.open_embedder(environment)?;
        self.reranker = project.open_reranker(environment)?;
        Ok(self)
    }

    /// Lets `embedder` embed the questions. It must be the one that embedded the chunks.
    pub fn with_embedder(mut self, embedder: Box<dyn Embed>) -> Self {
        self.embedder = Some(embedder);
        self
    }

    /// Lets `reranker` judge the candidates.
    pub fn with_reranker(mut self, reranker: Box<dyn Rerank>) -> Self {
        self.reranker = Some(reranker);
        self
    }

    /// Lets `generator` write the answers.
    pub fn with_generator(self, generator: Box<dyn Generate>) -> Self {
        self.with_answerer(Answerer::Writes(generator))
    }

    /// Lets `answerer` write the answers, or find them in the evidence.
    pub fn with_answerer(mut self, answerer: Answerer) -> Self {
        self.answerer = Some(answerer);
        self
    }

    /// Decides by `by` which questions are answered from the documents, and which by the
    /// model alone. Called after the models are there.
    ///
    /// # Errors
    /// If a trained router is wanted, and the project has none that fits the embedder.
    pub fn with_routing(mut self, project: &Project, by: Routing) -> Result<Self, Error> {
        let embedder = self.embedder.as_ref().map(|it| it.identity().to_string());
        self.crossroads = Crossroads::open(project, by, embedder.as_deref())?;
        Ok(self)
    }

    /// Returns what is searched.
    pub fn searcher(&self) -> &Searcher {
        &self.searcher
    }

    /// Finds evidence for `question`.
    pub fn search(&mut self, question: &Question) -> Result<Arc<SearchReply>, Error> {
        let vector = self.embed(question)?;
        self.find(question, vector.as_ref(), question.threshold)
    }

    /// Answers `question` from the documents, or says that it is not in them.
    pub fn ask(&mut self, question: &Question) -> Result<AskReply, Error> {
        self.ask_aloud(question, &mut |_| ControlFlow::Continue(()))
    }

    /// Like [`Session::ask`], and gives each piece of what a model writes to `sink` as it
    /// is written and checked. When the sink breaks, what was written until then is the
    /// answer. An answer that no model writes is not given to it.
    pub fn ask_aloud(
        &mut self,
        question: &Question,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<AskReply, Error> {
        let started = Instant::now();
        let vector = self.embed(question)?;
        let embedding = started.elapsed();
        let threshold = question.threshold.unwrap_or(self.threshold);
        let search = self.find(question, vector.as_ref(), Some(threshold))?;
        let scores: Vec<f64> = search
            .found
            .iter()
            .map(|it| it.evidence.score.get())
            .collect();
        let seen = vector.as_ref().map(Embedding::values);
        let route = self
            .crossroads
            .decide(&question.text, &scores, seen, threshold);

        let answering = Instant::now();
        let evidence: Vec<Evidence> = search
            .found
            .iter()
            .map(|found| found.evidence.clone())
            .collect();
        let (answer, written) = match (route.route, &self.answerer) {
            (Route::Alone, Some(Answerer::Writes(generator))) => {
                let (answer, written) = self.write_alone(&**generator, question, sink)?;
                (answer, Some(written))
            }
            (Route::Alone, _) => {
                return Err(Error::NoModel {
                    wanted: ModelUse::Generator,
                });
            }
            (Route::Retrieval, Some(Answerer::Writes(generator))) if !evidence.is_empty() => {
                let (answer, written) = self.write(&**generator, question, &evidence, sink)?;
                (answer, Some(written))
            }
            (Route::Retrieval, Some(Answerer::Finds(reader))) if !evidence.is_empty() => {
                let (answer, written) = read(reader, &question.text, &evidence)?;
                (answer, Some(written))
            }
            (Route::Retrieval, _) => (self.extract(question, &evidence), None),
        };
        Ok(AskReply {
            answer: Answer {
                elapsed: started.elapsed(),
                ..answer
            },
            search,
            threshold,
            embedding,
            answering: answering.elapsed(),
            written,
            route,
        })
    }

    /// Answers `question` by the sentences of `evidence` that fit it; no model writes.
    fn extract(&self, question: &Question, evidence: &[Evidence]) -> Answer {
        let started = Instant::now();
        let keyword = self.searcher.keyword();
        let mut extract = search::extract(keyword, &keyword.query(&question.text), evidence);
        if extract.text.is_empty() && !evidence.is_empty() {
            // Found by its vector alone: there is no word to choose a sentence by, so the
            // best passage speaks for itself.
            extract.text = format!("{} [1]", evidence[0].text.trim());
            extract.used = vec![0];
        }
        let abstained = extract.used.is_empty();
        let citations = (1..)
            .zip(&extract.used)
            .map(|(number, index)| Citation {
                number,
                evidence: evidence[*index].clone(),
            })
            .collect();
        Answer {
            text: if abstained {
                NOT_IN_THE_DOCUMENTS.into()
            } else {
                extract.text
            },
            abstained,
            citations,
            prompt_tokens: None,
            completion_tokens: None,
            elapsed: started.elapsed(),
        }
    }

    /// Has `generator` answer without evidence. There is nothing that it could be held against.
    fn write_alone(
        &self,
        generator: &dyn Generate,
        question: &Question,
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(Answer, Written), Error> {
        let started = Instant::now();
        let limit = Tokens(self.writing.max_tokens as u64);
        let prompt = render(self.alone, &question.text, &[]);
        let completion = generator.generate(&prompt, limit, sink)?;
        let known = |tokens: Tokens| Some(tokens).filter(|it| it.0 > 0);
        let answer = Answer {
            text: completion.text.trim().to_owned(),
            abstained: false,
            citations: Vec::new(),
            prompt_tokens: known(completion.prompt_tokens),
            completion_tokens: known(completion.completion_tokens),
            elapsed: started.elapsed(),
        };
        let written = Written {
            generator: generator.name().to_owned(),
            sentences: Vec::new(),
            unknown_citations: Vec::new(),
            cut: None,
        };
        Ok((answer, written))
    }

    /// Has `generator` write the answer to `question` from `evidence`, and checks it.
    fn write(
        &self,
        generator: &dyn Generate,
        question: &Question,
        evidence: &[Evidence],
        sink: &mut dyn FnMut(&str) -> ControlFlow<()>,
    ) -> Result<(Answer, Written), Error> {
        let started = Instant::now();
        let limit = Tokens(self.writing.max_tokens as u64);
        let fitted = fit(
            generator,
            self.template,
            &[],
            &question.text,
            evidence,
            limit,
        )?;
        let Fitted {
            prompt,
            evidence: given,
            cut,
        } = fitted;
        let mut grounding = Grounding::new(
            self.searcher.keyword(),
            &question.text,
            &given,
            NOT_IN_THE_DOCUMENTS,
            self.writing.unsupported,
        );
        let mut show = |text: &str| match text {
            "" => ControlFlow::Continue(()),
            text => sink(text),
        };
        let completion =
            generator.generate(&prompt, limit, &mut |piece| show(&grounding.take(piece)))?;
        let (rest, grounded) = grounding.finish();
        // It is over; there is nothing left to stop.
        let _ = show(&rest);
        let known = |tokens: Tokens| Some(tokens).filter(|it| it.0 > 0);
        let abstained = grounded.text.is_empty() || is_refusal(&grounded.text);
        let answer = Answer {
            text: if abstained {
                NOT_IN_THE_DOCUMENTS.into()
            } else {
                grounded.text.clone()
            },
            abstained,
            citations: if abstained {
                Vec::new()
            } else {
                citations(&grounded, evidence)
            },
            prompt_tokens: known(completion.prompt_tokens),
            completion_tokens: known(completion.completion_tokens),
            elapsed: started.elapsed(),
        };
        let written = Written {
            generator: generator.name().to_owned(),
            sentences: grounded.sentences,
            unknown_citations: grounded.unknown,
            cut,
        };
        Ok((answer, written))
    }

    fn find(
        &mut self,
        question: &Question,
        vector: Option<&Embedding>,
        threshold: Option<Share>,
    ) -> Result<Arc<SearchReply>, Error> {
        let recipe = RetrievalRecipe {
            top_k: question.top_k.unwrap_or(self.recipe.top_k),
            ..self.recipe.clone()
        };
        let request = SearchRequest {
            question: &question.text,
            vector,
            reader: &question.reader,
            filter: question.filter.as_ref(),
            threshold,
            recipe: &recipe,
            reranker: self.reranker.as_deref(),
        };
        Ok(self.searcher.search(&request)?)
    }

    /// Returns the question's vector: the given one, or the embedder's.
    fn embed(&self, question: &Question) -> Result<Option<Embedding>, Error> {
        if let Some(numbers) = &question.vector {
            let embedder = given_embedder(numbers.len());
            return Ok(Some(Embedding::new(embedder, numbers.clone())?));
        }
        let Some(embedder) = &self.embedder else {
            return Ok(None);
        };
        let mut vectors = embedder.embed(&[&question.text], TextRole::Question)?;
        assert_eq!(vectors.len(), 1, "an embedder gives one vector a text");
        Ok(vectors.pop())
    }

    /// Returns the text of the document `id` as `reader` may read it.
    ///
    /// A document that the reader may not read is as one that is not there.
    pub fn document(&self, id: &DocumentId, reader: &Reader) -> Result<DocumentText, Error> {
        let snapshot = self.searcher.snapshot();
        let readable = |about: &search::store::StoredDocument| about.permissions.allow(reader);
        let Some(about) = snapshot.document(id)?.filter(readable) else {
            let documents = snapshot.documents()?;
            let known = documents
                .iter()
                .filter(|it| readable(it))
                .map(|it| it.id.as_str());
            return Err(Error::no_document(id, known));
        };
        let text = snapshot.text_of(id)?.unwrap_or_default();
        Ok(DocumentText { about, text })
    }

    /// Returns the documents that `reader` may read and `filter` leaves.
    pub fn documents(
        &self,
        reader: &Reader,
        filter: Option<&Filter>,
    ) -> Result<Vec<search::store::StoredDocument>, Error> {
        let mut documents = self.searcher.snapshot().documents()?;
        documents.retain(|it| {
            it.permissions.allow(reader) && filter.is_none_or(|filter| filter.matches(&it.metadata))
        });
        Ok(documents)
    }
}

/// Has `reader` find the answer to `question` in the evidence: where it is surest that there
/// is one, if it is sure enough.
fn read(
    reader: &model::Reader,
    question: &str,
    evidence: &[Evidence],
) -> Result<(Answer, Written), Error> {
    let started = Instant::now();
    let passages: Vec<(&str, &str)> = evidence.iter().map(|it| (question, &*it.text)).collect();
    let readings = reader.read(&passages)?;
    let surest = readings.iter().zip(evidence).min_by(|(a, _), (b, _)| {
        let excess = |it: &model::Reading| it.none - it.score;
        excess(a).total_cmp(&excess(b))
    });
    let found = surest.and_then(|(reading, evidence)| {
        let bytes = reading.answer(reader.threshold())?;
        Some((&evidence.text[bytes], evidence))
    });
    let answer = Answer {
        text: match found {
            Some((text, _)) => format!("{} [1]", text.trim()),
            None => NOT_IN_THE_DOCUMENTS.into(),
        },
        abstained: found.is_none(),
        citations: found
            .map(|(_, evidence)| Citation {
                number: 1,
                evidence: evidence.clone(),
            })
            .into_iter()
            .collect(),
        prompt_tokens: None,
        completion_tokens: None,
        elapsed: started.elapsed(),
    };
    let written = Written {
        generator: reader.name().to_owned(),
        sentences: Vec::new(),
        unknown_citations: Vec::new(),
        cut: None,
    };
    Ok((answer, written))
}

/// Returns whether a model's answer is that the documents do not say.
pub(crate) fn is_refusal(text: &str) -> bool {
    text.trim_matches(|c: char| !c.is_alphanumeric())
        .eq_ignore_ascii_case(NOT_IN_THE_DOCUMENTS)
}

/// Returns the evidence that an answer cites, by its number.
fn citations(grounded: &Grounded, evidence: &[Evidence]) -> Vec<Citation> {
    (1..)
        .zip(evidence)
        .filter(|(number, _)| grounded.text.contains(&format!("[{number}]")))
        .map(|(number, evidence)| Citation {
            number,
            evidence: evidence.clone(),
        })
        .collect()
}

/// A document with its text.
#[derive(Clone, Debug, PartialEq)]
pub struct DocumentText {
    /// What is known about it.
    pub about: search::store::StoredDocument,
    /// Its text.
    pub text: String,
}
