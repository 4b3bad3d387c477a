//! Advice on the screen: the recommendation, what was weighed, what it takes, the way there.

use std::io::{self, Write as _};

use groundtune::advise::{
    Advice, Effect, Favours, GuardState, Limit, LimitVerdict, Remedy, Role, Scale, Span,
    TrainingEstimate,
};
use groundtune::contract::Bytes;

use crate::ui::{Style, Ui, columns, thousands, wrap};

/// Without `-v`, no more answers that would change the recommendation are shown.
const FLIPS_SHOWN: usize = 8;

/// Prints the advice; with `all`, what speaks for and against it and the tables too.
pub(super) fn print(ui: &mut Ui, advice: &Advice, all: bool) -> io::Result<()> {
    let word = ui.paint(Style::Strong, advice.recommendation.word());
    let feasible = if advice.feasible {
        String::new()
    } else {
        format!(
            ", not feasible; within reach: {}",
            ui.paint(Style::Strong, advice.within_reach.word())
        )
    };
    writeln!(ui.out(), "Recommended: {word}{feasible}")?;
    paragraph(ui, 0, &advice.statement)?;
    print_scales(ui, advice)?;
    if !advice.limits.is_empty() {
        heading(ui, "Limits")?;
        for limit in &advice.limits {
            print_limit(ui, limit)?;
        }
    }
    print_estimates(ui, advice)?;
    print_plan(ui, advice)?;
    heading(ui, "Common mistakes, and how they stand")?;
    for guard in &advice.guards {
        let (state, style) = match guard.state {
            GuardState::Met => ("met", Style::Good),
            GuardState::Open => ("open", Style::Warning),
            GuardState::NotNeeded => ("-", Style::Faint),
        };
        row(
            ui,
            state,
            style,
            6,
            &format!("{}: {}", guard.mistake, guard.says),
        )?;
    }
    heading(ui, "What it trades")?;
    for trade in &advice.trade_offs {
        row(ui, trade.about, Style::Strong, 24, trade.says)?;
    }
    if all {
        print_all(ui, advice)?;
    }
    print_flips(ui, advice)
}

fn heading(ui: &mut Ui, text: &str) -> io::Result<()> {
    let text = ui.paint(Style::Strong, text);
    writeln!(ui.out(), "\n{text}")
}

/// Prints text in lines that begin `indent` columns in.
fn paragraph(ui: &mut Ui, indent: usize, text: &str) -> io::Result<()> {
    for line in wrap(text, ui.width().saturating_sub(indent)) {
        writeln!(ui.out(), "{:indent$}{line}", "")?;
    }
    Ok(())
}

/// Prints a name and, `width` columns further, what is said of it.
fn row(ui: &mut Ui, name: &str, style: Style, width: usize, says: &str) -> io::Result<()> {
    let indent = 2 + width;
    let pad = width.saturating_sub(columns(name)).max(1);
    let name = ui.paint(style, name);
    for (place, line) in wrap(says, ui.width().saturating_sub(indent))
        .iter()
        .enumerate()
    {
        if place == 0 {
            writeln!(ui.out(), "  {name}{:pad$}{line}", "")?;
        } else {
            writeln!(ui.out(), "{:indent$}{line}", "")?;
        }
    }
    Ok(())
}

fn print_scales(ui: &mut Ui, advice: &Advice) -> io::Result<()> {
    let beyond: Vec<_> = advice
        .reasons
        .iter()
        .filter(|it| it.effect.side().is_none())
        .collect();
    if !beyond.is_empty() {
        heading(ui, "What leaves no choice")?;
        for reason in beyond {
            row(ui, "!", Style::Warning, 4, reason.explanation)?;
            source(ui, reason.source, reason.effect)?;
        }
    }
    for weighed in &advice.scales {
        let (asks, on, off) = match weighed.scale {
            Scale::Knowledge => ("Are facts wanted that the model lacks?", "for", "against"),
            Scale::Place => ("Where should facts live?", "in documents", "in the model"),
            Scale::Behaviour => ("Must the model itself change?", "for", "against"),
        };
        let pans = weighed.pans;
        heading(ui, asks)?;
        let text = format!(
            "{} {on}, {} {off}: {}",
            pans.r#for, pans.against, weighed.reads
        );
        paragraph(ui, 2, &text)?;
        if pans.is_close() {
            paragraph(
                ui,
                2,
                "The two sides nearly balance: measure rather than argue.",
            )?;
        }
        let mut reasons: Vec<_> = advice
            .reasons
            .iter()
            .filter_map(|it| Some((it.effect.side()?, it)))
            .filter(|((scale, _), _)| *scale == weighed.scale)
            .collect();
        // What speaks for it first, the heaviest on top; rules of one weight in their order.
        reasons.sort_by_key(|((_, rises), it)| (!*rises, std::cmp::Reverse(it.weight)));
        for ((_, rises), reason) in reasons {
            let sign = if rises { '+' } else { '-' };
            let weight = format!("{sign}{}", reason.weight);
            row(ui, &weight, Style::Strong, 4, reason.explanation)?;
            source(ui, reason.source, reason.effect)?;
        }
    }
    Ok(())
}

fn source(ui: &mut Ui, source: &str, effect: Effect) -> io::Result<()> {
    let text = format!("{} · {source}", effect.says());
    for line in wrap(&text, ui.width().saturating_sub(6)) {
        let line = ui.paint(Style::Faint, &line);
        writeln!(ui.out(), "      {line}")?;
    }
    Ok(())
}

fn print_limit(ui: &mut Ui, limit: &Limit) -> io::Result<()> {
    let amount = |value: f64| match limit.limit {
        "budget" => usd(value),
        "timeline" => days(value),
        "memory" => bytes(value),
        _ => number(value),
    };
    let (verdict, style) = match limit.verdict {
        LimitVerdict::Fits => ("fits", Style::Good),
        LimitVerdict::Perhaps => ("perhaps", Style::Warning),
        LimitVerdict::Exceeded => ("exceeded", Style::Error),
    };
    let says = match limit.limit {
        "documents" => "there is nothing to retrieve from".into(),
        "device" => "an answer cannot be traced to a source without an index of documents".into(),
        name => {
            let takes = range(limit.needed, amount);
            format!("{name}: {}, and it takes {takes}", amount(limit.given))
        }
    };
    row(ui, verdict, style, 10, &says)?;
    if limit.remedies.is_empty() {
        return Ok(());
    }
    let remedies: Vec<_> = limit.remedies.iter().map(remedy).collect();
    let lead = if remedies.len() > 1 {
        "feasible with any one of: "
    } else {
        "feasible with "
    };
    paragraph(ui, 12, &format!("{lead}{}", remedies.join("; ")))
}

fn remedy(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Budget { usd: value } => format!("at least {}", usd(*value)),
        Remedy::Timeline { days: value } => format!("at least {}", days(*value)),
        Remedy::Parameters { parameters } => {
            format!("a model of at most {} numbers", number(*parameters))
        }
        Remedy::FewerExamples { examples } => {
            format!("learning only {} of the examples", number(*examples))
        }
        Remedy::MoreProcessors { times } => {
            format!("{} times as many processors", number(times.ceil()))
        }
        Remedy::Memory { bytes: value } => format!("{} of memory in all", bytes(*value)),
        Remedy::MoreExamples { examples } => format!("at least {} examples", number(*examples)),
        Remedy::Documents => "documents that hold the facts".into(),
        Remedy::RoomForAnIndex => "a machine with room for an index".into(),
    }
}

fn print_estimates(ui: &mut Ui, advice: &Advice) -> io::Result<()> {
    let estimates = &advice.estimates;
    if estimates.retrieval.is_none() && estimates.training.is_none() {
        return Ok(());
    }
    heading(ui, "Estimates")?;
    if let Some(index) = &estimates.retrieval {
        let text = format!(
            "{} chunks, {} of memory; {} tokens more to read with each question; nothing to be \
             spent before the first answer",
            range(index.chunks, number),
            range(index.memory_bytes, bytes),
            range(index.tokens_per_question, number),
        );
        row(ui, "index", Style::Strong, 10, &text)?;
    }
    if let Some(training) = &estimates.training {
        print_training(ui, advice, training)?;
    }
    Ok(())
}

fn print_training(ui: &mut Ui, advice: &Advice, training: &TrainingEstimate) -> io::Result<()> {
    if let Some(strategy) = &advice.strategy {
        let text = if strategy.by_data_size == strategy.method {
            strategy.method.says().to_owned()
        } else {
            format!(
                "{}; by the number of examples alone: {}",
                strategy.method.says(),
                strategy.by_data_size.says()
            )
        };
        row(ui, "training", Style::Strong, 10, &text)?;
    }
    let text = format!(
        "{} numbers, {} examples, {} tokens in all passes; on {}{}",
        range(training.parameters, number),
        range(training.examples, number),
        range(training.tokens, number),
        training.machine,
        if training.calibrated {
            " (calibrated)"
        } else {
            ""
        },
    );
    paragraph(ui, 12, &text)?;
    row(
        ui,
        "time",
        Style::Strong,
        10,
        &format!(
            "{} of computing for one training; {} for the {} that it takes with seeds and trials",
            range(training.days_per_run, days),
            range(training.days, days),
            range(training.runs, number),
        ),
    )?;
    row(
        ui,
        "memory",
        Style::Strong,
        10,
        &range(training.memory_bytes, bytes),
    )?;
    let updates = match training.updates_usd_per_year {
        Some(yearly) if yearly.high > 0.0 => {
            format!(
                "; {} a year to keep up by training again",
                range(yearly, usd)
            )
        }
        _ => String::new(),
    };
    let text = format!(
        "{} for the machine, {} in all{updates}",
        range(training.hardware_usd, usd),
        range(training.total_usd, usd),
    );
    row(ui, "money", Style::Strong, 10, &text)?;
    let (tier, phase) = (&training.tier, &training.phase);
    let most = phase
        .usd_to
        .map_or_else(|| " and more".into(), |it| format!(" to {}", usd(it)));
    let text = format!(
        "{}: {}, {}{most}; a {} model from nothing: {} on {}, {}",
        phase.name,
        phase.lasts,
        usd(phase.usd_from),
        tier.name,
        range(tier.days, days),
        tier.hardware,
        range(tier.usd, usd),
    );
    row(ui, "published", Style::Strong, 10, &text)?;
    if let Some(known) = &training.comparable {
        let text = format!(
            "{} ({} numbers): {}, {} for hardware, {} in all; {}",
            known.model,
            number(known.parameters),
            range(known.days, days),
            range(known.hardware_usd, usd),
            range(known.total_usd, usd),
            known.used_for,
        );
        paragraph(ui, 12, &text)?;
    }
    Ok(())
}

fn print_plan(ui: &mut Ui, advice: &Advice) -> io::Result<()> {
    heading(ui, "Plan")?;
    for (place, stage) in advice.plan.iter().enumerate() {
        let role = match stage.role {
            Role::Done => "done already",
            Role::Baseline => "first, as the baseline",
            Role::Goal => "what is recommended",
            Role::OnlyIf => "only if those before are not enough",
        };
        let word = ui.paint(Style::Strong, stage.stage.word());
        writeln!(ui.out(), "  {}. {word}: {role}", place + 1)?;
        paragraph(ui, 5, &stage.purpose)?;
        if matches!(stage.role, Role::Baseline | Role::Goal) {
            for command in &stage.commands {
                writeln!(ui.out(), "       {command}")?;
            }
        }
        if place + 1 < advice.plan.len() {
            paragraph(ui, 5, &format!("Go on if {}.", stage.go_on_if))?;
        }
    }
    Ok(())
}

fn print_all(ui: &mut Ui, advice: &Advice) -> io::Result<()> {
    for (title, merits) in [("For it", &advice.pros), ("Against it", &advice.cons)] {
        heading(ui, title)?;
        for merit in merits {
            row(
                ui,
                "·",
                Style::Faint,
                2,
                &format!("{} ({})", merit.says, merit.source),
            )?;
        }
    }
    let mut table = "";
    for judged in &advice.criteria {
        let criterion = &judged.criterion;
        if criterion.table != table {
            table = criterion.table;
            heading(ui, &format!("Table: {table}"))?;
        }
        let favours = match judged.favours {
            Favours::Training => "training",
            Favours::Retrieval => "retrieval",
            Favours::Even => "even",
            Favours::Unknown => "?",
        };
        let text = format!(
            "{}. Training: {}. Retrieval: {}. Measured by {}.",
            criterion.aspect, criterion.training, criterion.retrieval, criterion.measured_by
        );
        row(ui, favours, Style::Strong, 11, &text)?;
    }
    Ok(())
}

fn print_flips(ui: &mut Ui, advice: &Advice) -> io::Result<()> {
    if advice.flips.is_empty() {
        return Ok(());
    }
    heading(ui, "What would change it")?;
    // What nobody answered first.
    let mut flips: Vec<_> = advice.flips.iter().collect();
    flips.sort_by_key(|it| !it.unknown);
    let shown = if ui.verbose() {
        flips.len()
    } else {
        FLIPS_SHOWN.min(flips.len())
    };
    for flip in &flips[..shown] {
        let open = if flip.unknown { " (not answered)" } else { "" };
        let text = format!("`{} = {}`{open}", flip.answer, flip.value);
        row(ui, flip.recommendation.word(), Style::Strong, 10, &text)?;
    }
    if shown < flips.len() {
        let more = flips.len() - shown;
        writeln!(ui.out(), "  … and {more} more answers; `-v` shows them")?;
    }
    Ok(())
}

/// Returns both ends of a stretch, or one if they read alike.
fn range(span: Span, show: impl Fn(f64) -> String) -> String {
    let (low, high) = (show(span.low), show(span.high));
    if low == high {
        low
    } else {
        format!("{low} to {high}")
    }
}

/// Returns a count to two digits where it is large: `950`, `5,000`, `1.2M`, `7B`.
fn number(value: f64) -> String {
    let short = |value: f64, unit: &str| {
        let text = if value < 9.95 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        };
        format!("{}{unit}", text.trim_end_matches(".0"))
    };
    match value {
        _ if value < 9_999.5 => thousands(value.round() as u64),
        _ if value < 999.5e3 => short(value / 1e3, "k"),
        _ if value < 999.5e6 => short(value / 1e6, "M"),
        _ if value < 999.5e9 => short(value / 1e9, "B"),
        _ => short(value / 1e12, "T"),
    }
}

fn usd(value: f64) -> String {
    if value > 0.0 && value < 0.01 {
        "less than a cent".into()
    } else if value < 10.0 {
        format!("${value:.2}")
    } else {
        format!("${}", number(value))
    }
}

fn bytes(value: f64) -> String {
    Bytes(value as u64).to_string()
}

/// Returns a stretch of time, given in days, in the unit people would use.
fn days(value: f64) -> String {
    let seconds = value * 86_400.0;
    let unit = |value: f64, unit: &str| {
        let text = if value < 9.95 {
            format!("{value:.1}")
        } else {
            format!("{value:.0}")
        };
        let text = text.trim_end_matches(".0");
        let plural = if text == "1" { "" } else { "s" };
        format!("{text} {unit}{plural}")
    };
    match seconds {
        _ if seconds < 90.0 => unit(seconds, "second"),
        _ if seconds < 5400.0 => unit(seconds / 60.0, "minute"),
        _ if seconds < 129_600.0 => unit(seconds / 3600.0, "hour"),
        _ if value < 60.0 => unit(value, "day"),
        _ if value < 730.0 => unit(value / 30.0, "month"),
        _ => {
            let years = value / 365.0;
            if years < 100.0 {
                unit(years, "year")
            } else {
                format!("{} years", number(years))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        let check = |said: String, expect: &str| assert_eq!(said, expect);
        check(number(950.0), "950");
        check(number(5000.0), "5,000");
        check(number(124e6), "124M");
        check(number(1.5e9), "1.5B");
        check(number(999.9e6), "1B");
        check(usd(0.001), "less than a cent");
        check(usd(0.5), "$0.50");
        check(usd(12_000.0), "$12k");
        check(usd(0.0), "$0.00");
        check(days(14.0), "14 days");
        check(days(1.0 / 24.0), "60 minutes");
        check(days(0.5), "12 hours");
        check(days(1e-5), "0.9 seconds");
        check(days(90.0), "3 months");
        check(days(3650.0), "10 years");
        check(range(Span::new(1.0, 1.2), number), "1");
    }
}
