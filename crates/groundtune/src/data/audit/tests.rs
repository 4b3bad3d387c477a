use super::*;

fn write(folder: &Path, name: &str, lines: &[String]) -> PathBuf {
    let path = folder.join(name);
    fs_err::write(&path, lines.join("\n")).unwrap();
    path
}

/// Questions that have little in common.
fn labelled(number: usize, label: &str) -> String {
    let words = [
        "river", "copper", "violin", "harvest", "engine", "letter", "mountain", "glass",
    ];
    let word = |place: usize| words[number / words.len().pow(place as u32) % words.len()];
    format!(
        "{{\"text\":\"Where did the {} and the {} with item{number} leave the {} yesterday?\",\"label\":\"{label}\"}}",
        word(0),
        word(1),
        word(2)
    )
}

fn run(files: &[PathBuf], against: &[PathBuf]) -> Audited {
    let request = AuditRequest {
        files,
        against,
        ..AuditRequest::default()
    };
    audit(&request, &ReadExamples::default(), &mut |_| ()).unwrap()
}

fn verdict(audited: &Audited, criterion: Criterion) -> Verdict {
    let found = audited
        .audit
        .findings
        .iter()
        .find(|it| it.criterion == criterion);
    found.expect("the criterion is judged").verdict
}

#[test]
fn a_clean_set_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let lines: Vec<String> = (0..600)
        .map(|it| labelled(it, ["a", "b"][it % 2]))
        .collect();
    let audited = run(&[write(folder.path(), "a.jsonl", &lines)], &[]);
    for criterion in [
        Criterion::Size,
        Criterion::Records,
        Criterion::Conflicts,
        Criterion::Personal,
        Criterion::Language,
        Criterion::Labels,
        Criterion::Coherence,
    ] {
        assert_eq!(verdict(&audited, criterion), Verdict::Good, "{criterion}");
    }
    assert_eq!(audited.audit.duplicates.exact, 0);
}

#[test]
fn each_defect_is_found_named_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines: Vec<String> = (0..64)
        .map(|it| labelled(it * 7, ["a", "b"][it % 2]))
        .collect();
    lines.push(
        lines[3]
            .to_uppercase()
            .replace("\"TEXT\"", "\"text\"")
            .replace("\"LABEL\":\"B\"", "\"label\":\"b\""),
    );
    lines.push("{\"text\":\"Only a conflict here\",\"label\":\"a\"}".into());
    lines.push("{\"text\":\"only a conflict, here\",\"label\":\"b\"}".into());
    lines.push("{\"text\":\"Mail me at ada@acme.org please\",\"label\":\"a\"}".into());
    lines.push(format!(
        "{{\"text\":\"{}\",\"label\":\"a\"}}",
        "buy this great thing now ".repeat(20)
    ));
    lines.push("{\"text\":\"\",\"label\":\"a\"}".into());
    lines.push("not json".into());
    let file = write(folder.path(), "a.jsonl", &lines);
    let test = write(folder.path(), "test.jsonl", &[labelled(0, "a")]);
    let audited = run(std::slice::from_ref(&file), std::slice::from_ref(&test));
    let audit = &audited.audit;
    assert_eq!(audit.size.examples, 69);
    assert_eq!(audit.duplicates.exact, 1);
    assert_eq!(audit.duplicates.exact_places[0].0.line, 65);
    assert_eq!(audit.duplicates.exact_places[0].1.line, 4);
    assert_eq!((audit.conflicts.texts, audit.conflicts.examples), (1, 2));
    assert_eq!(audit.personal.kinds[&PersonalKind::Email], 1);
    assert_eq!(audit.coherence.repetitive, 1);
    assert_eq!(audit.leakage.as_ref().unwrap().exact, 1);
    assert_eq!((audit.unanswered, audit.refused.len()), (1, 2));
    for criterion in [Criterion::Conflicts, Criterion::Leakage] {
        assert_eq!(verdict(&audited, criterion), Verdict::Act, "{criterion}");
    }

    let request = AuditRequest {
        files: std::slice::from_ref(&file),
        against: std::slice::from_ref(&test),
        ..AuditRequest::default()
    };
    let out = folder.path().join("clean.jsonl");
    let read = ReadExamples::default();
    // The second of the conflict is near the first, and left out for the conflict.
    assert_eq!(audit.duplicates.near, 1);
    let counts = filter(&request, &read, &audited, &[], &out).unwrap();
    assert_eq!(counts, (69 - 6, 8));
    let left_out = fs_err::read_to_string(folder.path().join("clean.left-out.jsonl")).unwrap();
    for why in [
        "duplicate",
        "conflict",
        "personal",
        "repetitive",
        "leaked",
        "refused",
    ] {
        assert!(
            left_out.contains(&format!("\"why\":\"{why}\"")),
            "{why}: {left_out}"
        );
    }
    let again = run(std::slice::from_ref(&out), std::slice::from_ref(&test));
    assert_eq!(again.audit.leakage.unwrap(), Leakage::default());
    assert_eq!(
        again.audit.personal.examples + again.audit.conflicts.texts,
        0
    );

    let keep = [Criterion::Personal, Criterion::Duplicates];
    assert_eq!(
        filter(&request, &read, &audited, &keep, &out).unwrap().0,
        69 - 4
    );
}

#[test]
fn a_near_duplicate_in_the_other_set_is_a_leak() {
    let folder = tempfile::tempdir().unwrap();
    let ask = |end: &str| {
        vec![format!(
            "{{\"prompt\":\"Which of the twelve stations along the northern line was closed for repairs during the long winter of that year, and who {end}\",\"completion\":\"x\"}}"
        )]
    };
    let train = write(folder.path(), "train.jsonl", &ask("said so?"));
    let test = write(folder.path(), "test.jsonl", &ask("said it?"));
    let leakage = run(&[train], &[test]).audit.leakage.unwrap();
    assert_eq!((leakage.exact, leakage.near), (0, 1));
}

#[test]
fn languages_are_told_apart() {
    for (text, expect) in [
        ("The cat sat on the mat and it was not there.", "english"),
        (
            "Die Katze saß auf der Matte und sie war nicht da.",
            "german",
        ),
        ("这只猫坐在垫子上。", "chinese"),
        ("猫はマットの上に座っていた。", "japanese"),
        ("고양이가 매트 위에 앉았다.", "korean"),
        ("xyz", "unknown"),
    ] {
        assert_eq!(language(text), expect, "{text}");
    }
}

#[test]
fn relevance_tells_documents_from_others() {
    let folder = tempfile::tempdir().unwrap();
    let documents = folder.path().join("docs");
    fs_err::create_dir(&documents).unwrap();
    fs_err::write(
        documents.join("a.md"),
        "# Cache\n\nThe cache keeps downloaded packages on disk. To clear the cache, run the clean command; \
         it removes every downloaded package and its metadata.\n",
    )
    .unwrap();
    let near = write(folder.path(), "near.jsonl", &[
        "{\"prompt\":\"How do I clear the package cache on disk?\",\"completion\":\"Run the clean command.\"}".into(),
    ]);
    let far = write(folder.path(), "far.jsonl", &[
        "{\"prompt\":\"Who painted the ceiling of the Sistine chapel?\",\"completion\":\"Michelangelo did.\"}".into(),
    ]);
    let about = |file: PathBuf| {
        let request = AuditRequest {
            files: &[file],
            documents: Some(&documents),
            ..AuditRequest::default()
        };
        let audited = audit(&request, &ReadExamples::default(), &mut |_| ()).unwrap();
        audited.audit.relevance.unwrap().about
    };
    assert_eq!((about(near), about(far)), (1.0, 0.0));
}
