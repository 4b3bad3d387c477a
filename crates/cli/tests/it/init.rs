//! Making a project.

use crate::support::{Folder, assert_screen};

#[test]
fn a_project_is_made_here_or_where_one_says() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["init"]), @r#"
    Made `groundtune.toml`.

    Next, put documents beside it, then:
      groundtune ingest
      groundtune ask "your question"
    "#);
    assert_screen!(folder.screen(&["init", "our handbook"]), @r#"
    Made `our handbook/groundtune.toml`.

    Next, put documents beside it, then:
      cd 'our handbook'
      groundtune ingest
      groundtune ask "your question"
    "#);
    assert!(folder.path().join("our handbook/groundtune.toml").is_file());
}

#[test]
fn an_existing_project_is_left_as_it_is() {
    let folder = Folder::project("[retrieval]\ntop_k = 2\n", &[]);
    assert_screen!(folder.screen(&["init"]), @r#"
    -- stderr --
    error: `groundtune.toml` exists already and is left as it is

    hint: it is a project already: `groundtune ingest` reads its documents
    -- exit 1 --
    "#);
    let text = std::fs::read_to_string(folder.path().join("groundtune.toml")).unwrap();
    assert_eq!(text, "[retrieval]\ntop_k = 2\n");
}
