//! The demonstration, as it is seen first.

use crate::support::{Folder, assert_screen};

#[test]
fn the_demonstration_runs_again_and_again() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["demo"]), @r#"
    Wrenfield is a mail-order company that does not exist. Its handbook is in `groundtune-demo`.

    $ [GROUNDTUNE] ingest --project groundtune-demo
    Took 22 documents: 66 chunks in 22 documents ([TIME])

    An answer is made of the documents' own sentences, and cites them:

    $ [GROUNDTUNE] ask --project groundtune-demo 'When is technical support available?'
    Technical support is available 24/7, on every day of the year, by telephone and
    by chat. [1]

    [1] handbook/technical-support.md › Technical support › How to reach it  lines 8–24 · score 1.00

    A filter on the documents' metadata keeps the American rules out:

    $ [GROUNDTUNE] ask --project groundtune-demo 'How many days do customers have to return something?' --filter 'jurisdiction = EU'
    not in the documents

    What the documents do not say is not made up:

    $ [GROUNDTUNE] ask --project groundtune-demo 'Do you sell washing machines?'
    not in the documents

    A page for leads only is not found by anybody else, however they ask:

    $ [GROUNDTUNE] ask --project groundtune-demo 'How much goodwill may a lead give without asking?'
    not in the documents

    $ [GROUNDTUNE] ask --project groundtune-demo 'How much goodwill may a lead give without asking?' --as support-leads
    not in the documents

    Now you. Ask something else, and see why a chunk was found:
      [GROUNDTUNE] ask --project groundtune-demo 'How do I descale the kettle?'
      [GROUNDTUNE] search --project groundtune-demo 'return postage' --explain
      [GROUNDTUNE] documents list --project groundtune-demo
    Change a number in `groundtune-demo/handbook/returns-us.md`, `ingest` again, and ask: the answer follows.
    With your own documents: `[GROUNDTUNE] init`, in their folder.
    -- stderr --
    nearest: handbook/faq.json#return-policy, line 1: score 0.20, below the threshold 0.70

    hint: `--threshold 0.2` would accept it
    nearest: handbook/about.txt, lines 1–16: score 0.28, below the threshold 0.70

    hint: `--threshold 0.27` would accept it
    nearest: handbook/payments.html, lines 1–37: score 0.18, below the threshold 0.70

    hint: `--threshold 0.18` would accept it
    "#);
    let again = folder.screen(&["demo"]);
    assert!(again.contains("Nothing changed in 17 files"), "{again}");
}

#[test]
fn a_changed_page_is_not_written_over() {
    let folder = Folder::empty();
    folder.run(&["demo", "tour"]);
    folder.write("tour/handbook/about.txt", "Nothing about us.\n");
    assert_screen!(folder.screen(&["demo", "tour"]), @r#"
    -- stderr --
    error: `tour/handbook/about.txt` exists already, with another text, and is left as it is

    hint: name another folder: `groundtune demo DIR`
    -- exit 1 --
    "#);
}
