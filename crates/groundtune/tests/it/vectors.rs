//! Vectors through the `Embed` promise, and vectors that come with the documents.

use contract::EmbedderId;
use groundtune::contract::Embed;
use groundtune::models::{ModelReference, Precision, open_embedder};
use groundtune::{Environment, Error, IngestRequest, Question, SearchError};

use crate::fake::{Folder, WordEmbedder, ask, found};

const RETURNS: &str = "# Returns\n\nYou may return goods within 30 days.\n";
const SHIPPING: &str = "# Shipping\n\nShipping is free over $50.\n";

#[test]
fn a_vector_finds_what_no_word_does() {
    let folder = Folder::new(&[("returns.md", RETURNS), ("shipping.md", SHIPPING)]);
    let embedder = WordEmbedder::new("words");
    folder.ingest_with(&IngestRequest::default(), Some(&embedder));
    let mut session = folder.session();
    assert_eq!(found(&mut session, &ask("refund")), [""; 0]);
    let mut session = session.with_embedder(Box::new(embedder));
    assert_eq!(found(&mut session, &ask("refund"))[0], "returns.md");
    let reply = session.search(&ask("refund")).unwrap();
    let explanation = &reply.found[0].explanation;
    assert!(
        explanation.keyword.is_none() && explanation.vector.is_some(),
        "{explanation:?}"
    );
}

#[test]
fn another_embedder_is_refused_until_everything_is_taken_anew() {
    let folder = Folder::new(&[("returns.md", RETURNS)]);
    let (first, second) = (WordEmbedder::new("first"), WordEmbedder::new("second"));
    folder.ingest_with(&IngestRequest::default(), Some(&first));
    folder.write("shipping.md", SHIPPING);
    let refused = groundtune::ingest(
        &folder.project,
        &IngestRequest::default(),
        Some(&second),
        &mut |_| std::ops::ControlFlow::Continue(()),
    );
    let error = refused.unwrap_err();
    assert!(
        matches!(error, Error::Search(SearchError::OtherEmbedder { .. })),
        "{error:?}"
    );
    assert!(error.hint().unwrap().contains("--rebuild"));
    let mut session = folder
        .session()
        .with_embedder(Box::new(WordEmbedder::new("second")));
    let error = session.search(&ask("refund")).unwrap_err();
    assert!(
        matches!(error, Error::Search(SearchError::OtherEmbedder { .. })),
        "{error:?}"
    );

    let rebuild = IngestRequest {
        rebuild: true,
        ..IngestRequest::default()
    };
    folder.ingest_with(&rebuild, Some(&second));
    let mut session = folder.session().with_embedder(Box::new(second));
    assert_eq!(found(&mut session, &ask("refund"))[0], "returns.md");
}

#[test]
fn vectors_that_come_with_the_documents_are_searched() {
    let records = concat!(
        "{\"id\": \"east\", \"text\": \"The sun rises.\", \"embedding\": [1, 0]}\n",
        "{\"id\": \"north\", \"text\": \"The moss grows.\", \"embedding\": [0, 2]}\n",
        "{\"id\": \"odd\", \"text\": \"Three numbers.\", \"embedding\": [0, 2, 1]}\n",
    );
    let folder = Folder::new(&[("facts.jsonl", records)]);
    let summary = folder.ingest();
    assert_eq!(summary.documents, 3);
    assert_eq!(summary.warnings.len(), 1, "{:?}", summary.warnings);
    let mut session = folder.session();
    let embedder = session.searcher().snapshot().embedder().unwrap().unwrap();
    assert_eq!(
        embedder,
        EmbedderId {
            name: "given with the documents".into(),
            dimensions: 2
        }
    );
    let question = Question {
        vector: Some(vec![0.1, 3.0]),
        ..ask("")
    };
    assert_eq!(
        found(&mut session, &question),
        ["facts.jsonl#north", "facts.jsonl#east"]
    );
    let question = Question {
        vector: Some(vec![1.0, 2.0, 3.0]),
        ..ask("")
    };
    assert!(session.search(&question).is_err());
}

/// A model of the kind that the configuration names: tiny, and knows nothing.
fn tiny_model(name: &str) -> String {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../model/tests/data")
        .join(name);
    folder.to_str().unwrap().replace('\\', "/")
}

#[test]
fn the_models_of_the_configuration_embed_and_rerank() {
    let config = format!(
        "[models]\nembedder = \"{}\"\nreranker = \"{}\"\n",
        tiny_model("bert"),
        tiny_model("bert-cross")
    );
    let files = [("returns.md", RETURNS), ("shipping.md", SHIPPING)];
    let folder = Folder::with_config(&config, &files);
    let embedder = folder
        .project
        .open_embedder(&Environment::default())
        .unwrap();
    folder.ingest_with(&IngestRequest::default(), embedder.as_deref());
    let session = folder.session();
    let stored = session.searcher().snapshot().embedder().unwrap();
    assert_eq!(stored.as_ref(), Some(embedder.unwrap().identity()));
    let mut session = session
        .with_models(&folder.project, &Environment::default())
        .unwrap();
    let reply = session.search(&ask("free shipping")).unwrap();
    let explanation = &reply.found[0].explanation;
    assert!(explanation.vector.is_some(), "{explanation:?}");
    assert!(explanation.rerank.is_some(), "{explanation:?}");
}

#[test]
fn a_model_that_is_not_there_is_an_error_with_a_hint() {
    let folder = Folder::with_config("[models]\nembedder = \"nowhere\"\n", &[]);
    let environment = Environment::default();
    let error = folder.project.open_embedder(&environment).err().unwrap();
    assert!(matches!(error, Error::Resolve(_)), "{error:?}");
    assert!(error.hint().unwrap().contains("models pull nowhere"));
}

#[test]
fn the_configuration_says_in_what_the_embedder_multiplies() {
    let open = |keys: &str| {
        let config = format!("[models]\n{keys}\n");
        let folder = Folder::with_config(&config, &[]);
        folder.project.open_embedder(&Environment::default())
    };
    let identity = |precision: &str| {
        let folder = tiny_model("bert");
        let keys = format!("embedder = \"{folder}\"\nembedder_precision = \"{precision}\"");
        open(&keys).unwrap().unwrap().identity().clone()
    };
    assert_ne!(identity("f32"), identity("int8"));
    // Their vectors go together.
    assert_eq!(identity("f32"), identity("high"));
    let error = open("embedder_precision = \"int8\"").err().unwrap();
    assert!(matches!(error, Error::NotInInt8 { .. }), "{error:?}");
}

/// Judges by one word.
struct Likes(&'static str);

impl contract::Rerank for Likes {
    fn name(&self) -> &str {
        self.0
    }

    fn rerank(
        &self,
        _: &str,
        passages: &[&str],
    ) -> Result<Vec<contract::Share>, contract::PromiseError> {
        let judge = |passage: &&str| if passage.contains(self.0) { 0.9 } else { 0.1 };
        Ok(passages
            .iter()
            .map(|passage| contract::Share::clamped(judge(passage)))
            .collect())
    }
}

#[test]
fn the_weighted_order_is_similarity_and_rerank_by_their_weights() {
    let files = [
        ("returns.md", "You may return goods within 30 days.\n"),
        ("refunds.md", "Return goods and the money returns too.\n"),
    ];
    let folder = Folder::with_config("[retrieval]\nfusion = \"weighted\"\n", &files);
    folder.ingest();
    for (word, first) in [("30 days", "returns.md"), ("money", "refunds.md")] {
        let mut session = folder.session().with_reranker(Box::new(Likes(word)));
        let reply = session.search(&ask("return goods")).unwrap();
        assert_eq!(reply.found[0].evidence.document.as_str(), first);
        for found in &reply.found {
            let (words, rerank) = (&found.explanation.words, found.explanation.rerank);
            let expect = 0.7 * words.get() + 0.3 * rerank.unwrap().get();
            assert!(
                (found.explanation.fused - expect).abs() < 1e-12,
                "{found:?}"
            );
        }
    }
}

#[test]
fn vectors_that_come_with_the_documents_are_not_dropped_in_silence() {
    let records = concat!(
        "{\"id\": \"east\", \"text\": \"The sun rises.\", \"embedding\": [1, 0]}\n",
        "{\"id\": \"north\", \"text\": \"The moss grows.\", \"embedding\": [0, 2]}\n",
    );
    let folder = Folder::new(&[("facts.jsonl", records), ("returns.md", RETURNS)]);
    let embedder = WordEmbedder::new("words");
    let summary = folder.ingest_with(&IngestRequest::default(), Some(&embedder));
    assert_eq!(
        summary.warnings,
        [
            "`facts.jsonl`: the vectors that it brings are not used, since `[models] embedder` \
             makes others; `embedder = \"none\"` takes them"
        ]
    );
}

/// Sentences about bread, then about the moon, with no word in common and no blank line
/// between the two.
const BREAD_THEN_MOON: &str = "Knead the dough for ten minutes until it is smooth and elastic. \
    Cover the bowl and let the yeast work in a warm kitchen. The loaf should double in size \
    before you shape it. Bake at a high temperature so that the crust turns brown. Sourdough \
    starter gives the crumb its flavour. Astronauts landed in the lunar highlands and collected \
    rock samples. Craters were formed by meteorites billions of years ago. Its gravity is a \
    sixth of that on Earth. An orbit around our planet takes about four weeks. Telescopes on \
    the far side would be shielded from radio noise.";

#[test]
fn the_built_in_embedder_sees_where_the_subject_changes() {
    let config = "[chunk]\nmethod = \"topic\"\nmax_words = 200\nmin_words = 15\n";
    let folder = Folder::with_config(config, &[("essay.txt", BREAD_THEN_MOON)]);
    let embedder: Box<dyn Embed> = open_embedder(
        &ModelReference::BuiltIn,
        Precision::F32,
        &folder.project.root,
        &Environment::default(),
    )
    .unwrap()
    .unwrap();
    folder.ingest_with(&IngestRequest::default(), Some(embedder.as_ref()));
    let mut session = folder.session().with_embedder(embedder);
    let reply = session.search(&ask("bread and the moon")).unwrap();
    let mut chunks: Vec<&str> = reply
        .found
        .iter()
        .map(|it| it.evidence.text.trim())
        .collect();
    chunks.sort_by_key(|text| !text.starts_with("Knead"));
    assert_eq!(chunks.len(), 2, "{chunks:?}");
    assert!(chunks[0].ends_with("flavour."), "{chunks:?}");
    assert!(chunks[1].starts_with("Astronauts"), "{chunks:?}");
}
