//! What the program says to a command line it does not understand.

use crate::support::{Folder, assert_screen};

#[test]
fn a_misspelt_command_or_flag_names_the_nearest() {
    let folder = Folder::empty();
    assert_screen!(folder.screen(&["innit"]), @r#"
    -- stderr --
    error: unrecognized subcommand 'innit'

      tip: a similar subcommand exists: 'init'

    Usage: groundtune [OPTIONS] <COMMAND>

    For more information, try '--help'.
    -- exit 2 --
    "#);
    assert_screen!(folder.screen(&["init", "--colour", "never"]), @r#"
    -- stderr --
    error: unexpected argument '--colour' found

      tip: a similar argument exists: '--color'

    Usage: groundtune init --color <WHEN> [DIR]

    For more information, try '--help'.
    -- exit 2 --
    "#);
}
