//! What goes wrong around the program: a disk that is full, a folder that may not be
//! written.

use std::process::{Command, Output};

use crate::support::Folder;

/// Documents of together about 400 kB.
fn many() -> Folder {
    let folder = Folder::project("", &[]);
    for number in 0..40 {
        let text = format!(
            "# Page {number}\n\nmarker{number} stands here.\n\n{}",
            "Some words. ".repeat(800)
        );
        folder.write(format!("p{number}.md"), &text);
    }
    folder
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs the program where no file may grow beyond `blocks` of 512 bytes: a write
/// beyond it fails as it does on a full disk.
fn limited(folder: &Folder, blocks: usize, arguments: &[&str]) -> Output {
    Command::new("sh")
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""
        ))
        .arg(env!("CARGO_BIN_EXE_groundtune"))
        .args(arguments)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn without_room_nothing_is_half_and_the_next_run_goes_on() {
    let folder = many();
    // From where not even the tables fit to where only the index does not.
    for blocks in [8, 60, 200, 500, 1000] {
        let output = limited(&folder, blocks, &["ingest"]);
        if !output.status.success() {
            assert_eq!(output.status.code(), Some(1), "{blocks}: {}", text(&output));
            assert!(
                text(&output).starts_with("error: "),
                "{blocks}: {}",
                text(&output)
            );
            assert!(
                text(&output).contains("hint: "),
                "{blocks}: {}",
                text(&output)
            );
        }
        let doctor = folder.run(&["doctor"]);
        assert!(
            doctor.status.success(),
            "{blocks}: {}",
            String::from_utf8_lossy(&doctor.stdout)
        );
    }
    assert!(
        !limited(&folder, 60, &["ingest", "--rebuild"])
            .status
            .success()
    );
    assert!(folder.run(&["ingest"]).status.success());
    let found = folder.run(&["search", "marker39", "--json"]);
    assert!(String::from_utf8_lossy(&found.stdout).contains("p39.md"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_can_still_be_asked() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = Folder::project(
        "",
        &[("returns.md", "Goods may be returned within 30 days.\n")],
    );
    assert!(folder.run(&["ingest"]).status.success());
    // The copy can be run by anybody, wherever the build lies.
    let program = folder.path().join("program");
    std::fs::copy(env!("CARGO_BIN_EXE_groundtune"), &program).unwrap();
    let set = |mode_of_folders: u32, mode_of_files: u32| {
        let paths = [
            "",
            ".groundtune",
            ".groundtune/store",
            ".groundtune/store/groundtune.db",
        ];
        for path in paths.map(|path| folder.path().join(path)) {
            let mode = if path.is_dir() {
                mode_of_folders
            } else {
                mode_of_files
            };
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    for entry in std::fs::read_dir(folder.path().join(".groundtune/store")).unwrap() {
        let mode = std::fs::Permissions::from_mode(0o444);
        std::fs::set_permissions(entry.unwrap().path(), mode).unwrap();
    }
    set(0o555, 0o444);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(arguments).current_dir(folder.path());
        // The rules do not hold for the superuser, so somebody else runs it then.
        if is_superuser() {
            std::os::unix::process::CommandExt::uid(&mut command, 65534);
        }
        command.output().unwrap()
    };
    let asked = run(&["ask", "When may goods be returned?"]);
    let refused = run(&["ingest", "--rebuild"]);
    set(0o755, 0o644);
    assert!(asked.status.success(), "{}", text(&asked));
    assert!(String::from_utf8_lossy(&asked.stdout).contains("within 30 days"));
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("read-only"), "{}", text(&refused));
    assert!(text(&refused).contains("hint: "), "{}", text(&refused));
}

#[cfg(unix)]
fn is_superuser() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}
