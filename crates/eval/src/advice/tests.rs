use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::answers::{BaseModel, Domain, Need, Pace, Task};
use super::*;

/// Answers written as `key value` pairs.
fn answers(pairs: &[(&str, &str)]) -> Answers {
    let mut answers = Answers::default();
    for (key, text) in pairs {
        question::set(&mut answers, key, text).unwrap_or_else(|error| panic!("{error}"));
    }
    answers
}

fn recommended(answers: &Answers) -> Recommendation {
    decide(answers).0.recommendation
}

/// The rules that fire on one answer and say `rule`; with the effect and weight of each.
fn fired(key: &str, text: &str) -> Vec<(&'static str, Effect, u32)> {
    let answers = answers(&[(key, text)]);
    let (_, reasons, _) = decide(&answers);
    let about = |reason: &&Reason| reason.rule != "not-the-default";
    let fired = reasons.iter().filter(about);
    fired.map(|it| (it.rule, it.effect, it.weight)).collect()
}

#[test]
fn each_threshold_has_two_sides() {
    use Effect::{Memorising, Prompting, Retrieval, Training};
    // Decision matrix: latency.
    let ultra_low = vec![
        ("latency-is-ultra-low", Memorising, 2),
        ("strict-latency", Training, 1),
    ];
    let moderate = vec![("latency-is-moderate", Retrieval, 1)];
    assert_eq!(fired("latency_ms", "99"), ultra_low);
    assert_eq!(fired("latency_ms", "100"), moderate);
    assert_eq!(fired("latency_ms", "1000"), moderate);
    assert_eq!(fired("latency_ms", "1001"), moderate);
    // Decision matrix: budget; training phases: what fine-tuning costs.
    let limited = ("budget-is-limited", Retrieval, 1);
    let least = ("cost-effective-deployment", Retrieval, 1);
    let high = vec![
        ("budget-is-high", Memorising, 1),
        ("budget-carries-training", Training, 1),
    ];
    assert_eq!(fired("budget_usd", "10000"), high);
    assert_eq!(fired("budget_usd", "9999"), [limited]);
    assert_eq!(fired("budget_usd", "1000"), [limited]);
    assert_eq!(fired("budget_usd", "999"), [limited, least]);
    assert_eq!(fired("budget_usd", "100"), [limited, least]);
    let below = ("budget-below-fine-tuning", Prompting, 2);
    assert_eq!(fired("budget_usd", "99"), [limited, least, below]);
    // Decision matrix: data size.
    let small = ("data-is-small", Retrieval, 1);
    assert_eq!(fired("examples", "1000"), []);
    assert_eq!(fired("examples", "999"), [small]);
    assert_eq!(fired("examples", "100"), [small]);
    assert_eq!(
        fired("examples", "99"),
        [small, ("small-data-overfits", Prompting, 2)]
    );
    let none = ("no-labelled-data", Retrieval, 2);
    assert_eq!(
        fired("examples", "0"),
        [small, none, ("small-data-overfits", Prompting, 3)]
    );
    let good = |examples: &str| {
        let answers = answers(&[("examples", examples), ("examples_good", "yes")]);
        let (_, reasons, _) = decide(&answers);
        reasons.iter().any(|it| it.rule == "data-is-large-and-good")
    };
    assert!(good("1000"));
    assert!(!good("999"));
    // Search methods: small data sets.
    assert_eq!(fired("documents", "10000"), []);
    assert_eq!(
        fired("documents", "10001"),
        [
            ("knowledge-base-is-vast", Effect::Knowledge, 1),
            ("too-vast-to-memorise", Retrieval, 2)
        ]
    );
    // Decision matrix: data freshness, update frequency.
    assert_eq!(
        fired("changes", "yearly"),
        [("data-is-stable", Memorising, 2)]
    );
    assert_eq!(fired("changes", "quarterly"), []);
    assert_eq!(
        fired("changes", "monthly"),
        [
            ("information-is-current", Effect::Knowledge, 1),
            ("data-changes", Retrieval, 2)
        ]
    );
    assert_eq!(
        fired("updates", "yearly"),
        [("updates-are-infrequent", Memorising, 1)]
    );
    assert_eq!(fired("updates", "quarterly"), []);
    assert_eq!(
        fired("updates", "monthly"),
        [("updates-are-frequent", Retrieval, 2)]
    );
    assert_eq!(
        fired("updates", "weekly"),
        [
            ("updates-are-frequent", Retrieval, 3),
            ("avoid-retraining-for-each-update", Retrieval, 1)
        ]
    );
    // Decision matrix: domain expertise.
    assert_eq!(
        fired("domain", "broad"),
        [("domain-is-broad", Retrieval, 1)]
    );
    assert_eq!(
        fired("domain", "deep"),
        [
            ("domain-is-deep", Memorising, 1),
            ("deep-domain", Training, 1)
        ]
    );
}

#[test]
fn every_rule_can_fire_and_looks_only_at_what_it_says() {
    for rule in RULES {
        let keys: Vec<&Question> = rule
            .asks
            .iter()
            .map(|key| question::question(key).unwrap())
            .collect();
        let fires = |answers: &Answers| (rule.fires)(answers).is_some();
        // Every combination of the answers it asks for.
        let mut combinations = vec![Answers::default()];
        for question in &keys {
            let values = tried(question);
            combinations = combinations
                .iter()
                .flat_map(|answers| {
                    values.iter().map(|value| {
                        let mut answers = answers.clone();
                        question::set(&mut answers, question.key, value).unwrap();
                        answers
                    })
                })
                .collect();
        }
        assert!(
            combinations.iter().any(&fires),
            "`{}` never fires",
            rule.name
        );
        if !keys.is_empty() {
            assert!(
                !combinations.iter().all(&fires),
                "`{}` always fires",
                rule.name
            );
            assert!(
                !fires(&Answers::default()),
                "`{}` fires on nothing",
                rule.name
            );
        }
    }
}

#[test]
fn names_of_rules_are_their_own_and_sources_are_said() {
    for (place, rule) in RULES.iter().enumerate() {
        assert!(!rule.source.is_empty() && !rule.explanation.is_empty());
        let other = RULES[..place].iter().find(|it| it.name == rule.name);
        assert!(other.is_none(), "`{}` stands twice", rule.name);
    }
}

#[test]
fn nothing_known_means_a_better_prompt_first() {
    let advice = advise(&Answers::default(), None);
    assert_eq!(advice.recommendation, Recommendation::Prompt);
    assert!(advice.feasible);
    assert!(advice.limits.is_empty());
    assert_eq!(advice.unanswered.first(), Some(&"need"));
    // What would change it is known, too.
    let flip = |answer, value: &str| {
        let found = advice
            .flips
            .iter()
            .find(|it| it.answer == answer && it.value == value);
        found.map(|it| (it.recommendation, it.unknown))
    };
    assert_eq!(flip("need", "knowledge"), Some((Recommendation::Rag, true)));
    assert_eq!(
        flip("need", "behaviour"),
        Some((Recommendation::FineTune, true))
    );
    assert_eq!(flip("need", "both"), Some((Recommendation::Hybrid, true)));
}

#[test]
fn documents_that_are_there_tip_a_scale_that_is_even() {
    assert_eq!(
        recommended(&answers(&[("documents", "20")])),
        Recommendation::Rag
    );
    assert_eq!(
        recommended(&answers(&[("documents", "0")])),
        Recommendation::Prompt
    );
}

#[test]
fn what_was_measured_to_be_enough_settles_it() {
    let both = [("need", "both"), ("tone", "yes"), ("changes", "daily")];
    let with = |key, value| recommended(&answers(&[&both[..], &[(key, value)]].concat()));
    assert_eq!(with("prompt", "not-tried"), Recommendation::Hybrid);
    assert_eq!(with("prompt", "enough"), Recommendation::Prompt);
    assert_eq!(with("rag", "enough"), Recommendation::Rag);
}

#[test]
fn training_without_the_money_is_infeasible_and_says_what_is_in_reach() {
    let project = [
        ("need", "both"),
        ("strict_format", "yes"),
        ("tone", "yes"),
        ("changes", "daily"),
        ("documents", "5000"),
        ("examples", "200000"),
        ("tokens_per_example", "400"),
        ("parameters", "7B"),
        ("timeline_days", "2 weeks"),
    ];
    let with = |usd| {
        advise(
            &answers(&[&project[..], &[("budget_usd", usd)]].concat()),
            None,
        )
    };
    let enough = with("9000");
    assert_eq!(enough.recommendation, Recommendation::Hybrid);
    assert!(enough.feasible, "{:?}", enough.limits);
    assert_eq!(enough.within_reach, Recommendation::Hybrid);
    let little = with("20");
    assert_eq!(little.recommendation, Recommendation::Hybrid);
    assert!(!little.feasible);
    assert_eq!(little.within_reach, Recommendation::Rag);
    assert!(little.statement.ends_with("not feasible."));
    let budget = little
        .limits
        .iter()
        .find(|it| it.limit == "budget")
        .unwrap();
    assert_eq!(budget.verdict, LimitVerdict::Exceeded);
    assert!(matches!(budget.remedies[0], Remedy::Budget { usd } if usd > 20.0));
}

#[test]
fn a_timeline_that_is_too_short_is_infeasible_and_is_met_by_more_processors() {
    let project = [
        ("need", "behaviour"),
        ("examples", "900000"),
        ("tokens_per_example", "512"),
        ("parameters", "7B"),
        ("gpus", "1"),
    ];
    let with = |time| {
        advise(
            &answers(&[&project[..], &[("timeline_days", time)]].concat()),
            None,
        )
    };
    assert!(with("1 year").feasible);
    let short = with("12 hours");
    assert!(!short.feasible);
    assert_eq!(short.within_reach, Recommendation::Prompt);
    let timeline = short
        .limits
        .iter()
        .find(|it| it.limit == "timeline")
        .unwrap();
    let times = timeline.remedies.iter().find_map(|it| match it {
        Remedy::MoreProcessors { times } => Some(*times),
        _ => None,
    });
    let more = (times.unwrap() * 1.01).ceil().to_string();
    let met = advise(
        &answers(
            &[
                &project[..],
                &[("timeline_days", "12 hours"), ("gpus", &more)],
            ]
            .concat(),
        ),
        None,
    );
    assert!(met.feasible, "{more}: {:?}", met.limits);
}

#[test]
fn what_cannot_be_retrieved_is_said() {
    let no_documents = advise(&answers(&[("need", "knowledge"), ("documents", "0")]), None);
    assert_eq!(no_documents.recommendation, Recommendation::Rag);
    assert!(!no_documents.feasible);
    assert_eq!(no_documents.within_reach, Recommendation::Prompt);
    assert_eq!(no_documents.limits[0].remedies, [Remedy::Documents]);
    let device = advise(
        &answers(&[
            ("need", "knowledge"),
            ("runs_on", "embedded"),
            ("grounding", "yes"),
        ]),
        None,
    );
    assert_eq!(device.recommendation, Recommendation::FineTune);
    assert!(!device.feasible);
    assert_eq!(device.limits[0].limit, "device");
}

#[test]
fn the_plan_leads_from_the_prompt_to_the_goal() {
    use plan::Role::{Baseline, Done, Goal, OnlyIf};
    let roles = |pairs: &[(&str, &str)]| {
        let advice = advise(&answers(pairs), None);
        advice.plan.iter().map(|it| it.role).collect::<Vec<_>>()
    };
    assert_eq!(roles(&[]), [Goal, OnlyIf, OnlyIf, OnlyIf]);
    assert_eq!(
        roles(&[("need", "knowledge")]),
        [Baseline, Goal, OnlyIf, OnlyIf]
    );
    assert_eq!(
        roles(&[("need", "behaviour")]),
        [Baseline, Baseline, Goal, OnlyIf]
    );
    assert_eq!(
        roles(&[("need", "both")]),
        [Baseline, Baseline, Baseline, Goal]
    );
    assert_eq!(
        roles(&[
            ("need", "both"),
            ("prompt", "not-enough"),
            ("rag", "not-enough")
        ]),
        [Done, Done, Baseline, Goal]
    );
}

#[test]
fn the_five_mistakes_are_guarded_against() {
    use plan::GuardState::{Met, NotNeeded, Open};
    let states = |pairs: &[(&str, &str)]| {
        let advice = advise(&answers(pairs), None);
        advice.guards.iter().map(|it| it.state).collect::<Vec<_>>()
    };
    assert_eq!(states(&[("need", "both")]), [Open, Open, Open, Open, Open]);
    assert_eq!(
        states(&[("need", "knowledge"), ("held_out", "100")]),
        [NotNeeded, Open, Met, NotNeeded, NotNeeded]
    );
    assert_eq!(
        states(&[
            ("need", "both"),
            ("rag", "not-enough"),
            ("held_out", "99"),
            ("examples", "1000"),
        ]),
        [Met, Met, Open, Open, Met]
    );
}

#[test]
fn the_words_of_the_json_are_kept() {
    let advice = advise(
        &answers(&[("need", "behaviour"), ("budget_usd", "$10K")]),
        None,
    );
    let json = serde_json::to_value(&advice).unwrap();
    assert_eq!(json["recommendation"], "fine-tune");
    assert_eq!(json["feasible"], true);
    let reason = &json["reasons"][0];
    assert_eq!(reason["rule"], "knowledge-is-not-missing");
    assert_eq!(reason["source"], "the six questions");
    assert_eq!(reason["effect"], "no-knowledge");
    assert_eq!(reason["weight"], 3);
    assert_eq!(json["scales"][2]["scale"], "behaviour");
    assert_eq!(json["scales"][2]["for"], 4);
    assert_eq!(json["scales"][2]["against"], 1);
    assert_eq!(json["plan"][2]["stage"], "fine-tune");
    assert_eq!(json["plan"][2]["role"], "goal");
    assert_eq!(json["limits"][0]["verdict"], "fits");
    assert_eq!(json["criteria"].as_array().unwrap().len(), 33);
}

/// Any answers whatever, most of them missing.
fn any_answers() -> impl Strategy<Value = Answers> {
    let numbers = |values: &'static [f64]| prop::option::of(prop::sample::select(values));
    let one = (
        prop::option::of(prop::sample::select(Need::ALL)),
        prop::option::of(prop::sample::select(Pace::ALL)),
        prop::option::of(prop::sample::select(Pace::ALL)),
        prop::option::of(any::<bool>()),
        numbers(&[0.0, 50.0, 99.0, 100.0, 999.0, 1000.0, 9999.0, 10_000.0, 1e6]),
        numbers(&[10.0, 99.0, 100.0, 1000.0, 5000.0]),
        prop::option::of(prop::sample::select(Trial::ALL)),
        prop::option::of(prop::sample::select(Trial::ALL)),
        prop::option::of(prop::sample::select(Domain::ALL)),
        numbers(&[0.0, 50.0, 100.0, 1000.0, 999_999.0, 1e6, 1e7, 1e9]),
    );
    let two = (
        prop::option::of(any::<bool>()),
        numbers(&[0.0, 5.0, 10_000.0, 10_001.0, 1e8]),
        prop::option::of(prop::sample::select(Task::ALL)),
        prop::option::of(any::<bool>()),
        prop::option::of(any::<bool>()),
        prop::option::of(any::<bool>()),
        prop::option::of(prop::sample::select(BaseModel::ALL)),
        prop::option::of(prop::sample::select(RunsOn::ALL)),
        numbers(&[0.0, 1.0, 14.0, 400.0]),
        numbers(&[0.0, 2e6, 117e6, 7e9, 1e18]),
    );
    (one, two).prop_map(|(one, two)| Answers {
        need: one.0,
        changes: one.1,
        updates: one.2,
        strict_format: one.3,
        budget_usd: one.4,
        latency_ms: one.5,
        prompt: one.6,
        rag: one.7,
        domain: one.8,
        examples: one.9,
        examples_good: two.0,
        documents: two.1,
        task: two.2,
        tone: two.3,
        grounding: two.4,
        rare_facts: two.5,
        base_model: two.6,
        runs_on: two.7,
        timeline_days: two.8,
        parameters: two.9,
        ..Answers::default()
    })
}

/// Checks that no next answer, taken in order, loses what the one before it had.
fn never_lost<T: Copy>(
    answers: &Answers,
    values: &[T],
    set: impl Fn(&mut Answers, T),
    has: impl Fn(Recommendation) -> bool,
) -> Result<(), TestCaseError> {
    let mut had = false;
    for value in values {
        let mut answers = answers.clone();
        set(&mut answers, *value);
        let has_it = has(recommended(&answers));
        prop_assert!(has_it || !had, "lost with {answers:?}");
        had = has_it;
    }
    Ok(())
}

proptest! {
    #[test]
    fn changes_and_updates_never_move_away_from_retrieval(answers in any_answers()) {
        let retrieves = Recommendation::retrieves;
        never_lost(&answers, Pace::ALL, |it, pace| it.changes = Some(pace), retrieves)?;
        never_lost(&answers, Pace::ALL, |it, pace| it.updates = Some(pace), retrieves)?;
    }

    #[test]
    fn a_tighter_budget_never_adds_training_nor_takes_retrieval(answers in any_answers()) {
        let budgets = [1e6, 1e4, 9999.0, 1000.0, 999.0, 100.0, 99.0, 0.0];
        let set = |it: &mut Answers, usd| it.budget_usd = Some(usd);
        never_lost(&answers, &budgets, set, |it| !it.trains())?;
        never_lost(&answers, &budgets, set, Recommendation::retrieves)?;
    }

    #[test]
    fn a_shorter_latency_never_adds_retrieval(answers in any_answers()) {
        let latencies = [5000.0, 1000.0, 100.0, 99.0, 1.0];
        let set = |it: &mut Answers, ms| it.latency_ms = Some(ms);
        never_lost(&answers, &latencies, set, |it| !it.retrieves())?;
    }

    #[test]
    fn more_documents_never_move_away_from_retrieval(answers in any_answers()) {
        let documents = [0.0, 1.0, 10_000.0, 10_001.0, 1e9];
        let set = |it: &mut Answers, count| it.documents = Some(count);
        never_lost(&answers, &documents, set, Recommendation::retrieves)?;
    }

    #[test]
    fn more_good_examples_never_take_training_away(answers in any_answers()) {
        let examples = [0.0, 50.0, 99.0, 100.0, 999.0, 1000.0, 1e7];
        let set = |it: &mut Answers, count| {
            it.examples = Some(count);
            it.examples_good = Some(true);
        };
        never_lost(&answers, &examples, set, Recommendation::trains)?;
    }

    #[test]
    fn a_tighter_limit_never_makes_it_feasible_nor_the_training_dearer(
        answers in any_answers(),
        usd in [0.0..1e5_f64, 0.0..1e5],
        days in [0.0..100.0_f64, 0.0..100.0],
    ) {
        let with = |usd: f64, days: f64| {
            let answers = Answers {
                budget_usd: Some(usd),
                timeline_days: Some(days),
                ..answers.clone()
            };
            strategy::strategy(&answers, None).0
        };
        let loose = with(usd[0].max(usd[1]), days[0].max(days[1]));
        let tight = with(usd[0].min(usd[1]), days[0].min(days[1]));
        prop_assert!(loose.is_feasible() || !tight.is_feasible());
        // Pretraining comes first among the methods, adapters last.
        prop_assert!(tight.method as u8 >= loose.method as u8);
    }

    #[test]
    fn advice_is_whole_whatever_is_answered(answers in any_answers()) {
        let advice = advise(&answers, None);
        let exceeded = advice.limits.iter().filter(|it| it.verdict == LimitVerdict::Exceeded);
        // Infeasible if and only if a limit says so, and each of those says what would help.
        prop_assert_eq!(advice.feasible, exceeded.clone().count() == 0);
        for limit in exceeded {
            prop_assert!(!limit.remedies.is_empty(), "{limit:?}");
        }
        if advice.feasible {
            prop_assert_eq!(advice.within_reach, advice.recommendation);
        }
        let goals = advice.plan.iter().filter(|it| it.role == plan::Role::Goal);
        prop_assert_eq!(goals.map(|it| it.stage).collect::<Vec<_>>(), [advice.recommendation]);
        if let Some(training) = &advice.estimates.training {
            for span in [training.days, training.total_usd, training.memory_bytes] {
                prop_assert!(span.low <= span.high && span.high.is_finite(), "{training:?}");
            }
        }
        // What is said to flip it does.
        for flip in &advice.flips {
            let mut other = answers.clone();
            question::set(&mut other, flip.answer, &flip.value).unwrap();
            prop_assert_eq!(recommended(&other), flip.recommendation);
        }
        serde_json::to_string(&advice).unwrap();
    }
}
