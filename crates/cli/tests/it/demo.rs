//! The demonstration, as it is seen first.

use crate::support::{Folder, assert_screen};

#[test]
fn the_demonstration_runs_again_and_again() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["demo", "--no-compare"]), @r#"
    Wrenfield is a mail-order company that does not exist. Its handbook is in `groundtune-demo`.

    $ [GROUNDTUNE] ingest --project groundtune-demo
    Took 22 documents: [N] chunks in 22 documents ([TIME])

    An answer is made of the documents' own sentences, and cites them:

    $ [GROUNDTUNE] ask --project groundtune-demo 'When is technical support available?'
    Technical support is available 24/7, on every day of the year, by telephone and
    by chat. [1]

    [1] handbook/technical-support.md › Technical support › How to reach it  lines [LINES] · score [SCORE]

    America and Europe differ. A filter on the documents' metadata says which is meant:

    $ [GROUNDTUNE] ask --project groundtune-demo 'Is return postage free?' --filter 'jurisdiction = EU'
    Return postage costs 4.90 euros and is taken off the refund. It is free if the
    item was faulty or was not what was ordered. [1]

    [1] handbook/returns-eu.md › Returns in the European Union › How to send it back  lines [LINES] · score [SCORE]

    What the documents do not say is not made up:

    $ [GROUNDTUNE] ask --project groundtune-demo 'Do you sell washing machines?'
    not in the documents

    A page for leads only is not found by anybody else, however they ask:

    $ [GROUNDTUNE] ask --project groundtune-demo 'How much goodwill may a lead give without asking?'
    not in the documents

    $ [GROUNDTUNE] ask --project groundtune-demo 'How much goodwill may a lead give without asking?' --as support-leads
    A lead may give up to $75 of goodwill for each order without asking, as a refund
    or as a gift card. [1]

    [1] handbook/internal/goodwill.md › Goodwill and exceptions › What a lead may give  lines [LINES] · score [SCORE]

    Now you. Ask something else, and see why a chunk was found:
      [GROUNDTUNE] ask --project groundtune-demo 'How do I descale the kettle?'
      [GROUNDTUNE] search --project groundtune-demo 'return postage' --explain
      [GROUNDTUNE] documents list --project groundtune-demo
    Change a number in `groundtune-demo/handbook/returns-us.md`, `ingest` again, and ask: the answer follows.
    With your own documents: `[GROUNDTUNE] init`, in their folder.
    -- stderr --
    nearest: handbook/about.txt, lines [LINES]: score [SCORE], below the threshold [SCORE]
    nearest: handbook/payments.html › Paying at Wrenfield › Invoices and tax, lines [LINES]: score [SCORE], below the threshold [SCORE]
    "#);
    let again = folder.screen(&["demo", "--no-compare"]);
    assert!(again.contains("Nothing changed: "), "{again}");
}

#[test]
fn a_changed_page_is_not_written_over() {
    let folder = Folder::empty();
    folder.run(&["demo", "tour", "--no-compare"]);
    folder.write("tour/handbook/about.txt", "Nothing about us.\n");
    assert_screen!(folder.screen(&["demo", "tour", "--no-compare"]), @r#"
    -- stderr --
    error: `tour/handbook/about.txt` exists already, with another text, and is left as it is

    hint: name another folder: `groundtune demo DIR`
    -- exit 1 --
    "#);
}
