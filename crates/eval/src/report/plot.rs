//! Plots as SVG, drawn into the page: points with intervals, lines, and their axes.

use std::fmt::Write as _;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 320.0;
/// Room for the axes' words: left, right, above, below.
const ROOM: [f64; 4] = [64.0, 16.0, 16.0, 48.0];

/// Colours that those who see few colours can tell apart (Okabe and Ito 2008).
const COLOURS: [&str; 7] = [
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    // Black, where the page is white.
    "currentColor",
];

/// A point or a line with its name.
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    /// One point for a mark, several for a line.
    pub(super) points: Vec<(f64, f64)>,
    /// From where to where a single point may lie, upwards.
    pub(super) interval: Option<(f64, f64)>,
}

/// What the axes are called.
pub(super) struct Axes<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    /// Whether the axes begin at 0.
    pub(super) x_from_zero: bool,
}

/// Draws series; nothing if no point is a number.
pub(super) fn plot(axes: &Axes<'_>, series: &[Series<'_>]) -> Option<String> {
    let finite = |point: &&(f64, f64)| point.0.is_finite() && point.1.is_finite();
    let points = || series.iter().flat_map(|it| it.points.iter().filter(finite));
    let intervals = series.iter().filter_map(|it| it.interval);
    let ends = intervals.flat_map(|(low, high)| [low, high]);
    let x = Scale::new(
        points().map(|it| it.0),
        axes.x_from_zero,
        ROOM[0],
        WIDTH - ROOM[1],
    )?;
    let y = Scale::new(
        points().map(|it| it.1).chain(ends),
        false,
        HEIGHT - ROOM[3],
        ROOM[2],
    )?;
    let mut svg = String::new();
    draw(&mut svg, axes, series, &x, &y).expect("writing to a string does not fail");
    Some(svg)
}

/// A value with its interval, drawn as a bar on a line of its own.
pub(super) struct Bar {
    pub(super) name: String,
    pub(super) value: f64,
    /// From where to where it may lie.
    pub(super) interval: (f64, f64),
}

/// Draws values with their intervals one below the other, with a line at 0 and bounds at
/// `matters` to both sides of it; nothing if no value is a number.
pub(super) fn intervals(title: &str, bars: &[Bar], matters: f64) -> Option<String> {
    const ROW: f64 = 22.0;
    const NAMES: f64 = 190.0;
    let ends = bars
        .iter()
        .flat_map(|it| [it.interval.0, it.interval.1, it.value]);
    let x = Scale::new(ends.chain([0.0]), false, NAMES, WIDTH - ROOM[1])?;
    let bottom = ROW * bars.len() as f64 + 8.0;
    let height = bottom + 22.0;
    let title = escaped(title);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\"><title>{title}</title>"
    );
    for tick in x.ticks() {
        let at = x.at(tick);
        svg.push_str(&format!(
            "<path class=\"grid\" d=\"M{at:.1} 0V{bottom:.1}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            written(tick)
        ));
    }
    let line = |at: f64, style: &str| {
        let at = x.at(at);
        format!("<path stroke=\"currentColor\" {style} d=\"M{at:.1} 0V{bottom:.1}\"/>")
    };
    svg.push_str(&line(0.0, ""));
    let inside = |at: &f64| (x.low..=x.high).contains(at);
    for at in [matters, -matters].iter().filter(|at| inside(at)) {
        svg.push_str(&line(*at, "stroke-dasharray=\"3 3\" stroke-opacity=\".6\""));
    }
    for (number, bar) in bars.iter().enumerate() {
        let y = ROW * (number as f64 + 0.5) + 4.0;
        let (low, high) = bar.interval;
        // Sure, where the interval has no 0.
        let colour = if low > 0.0 || high < 0.0 {
            COLOURS[2]
        } else {
            COLOURS[0]
        };
        svg.push_str(&format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            NAMES - 8.0,
            y + 4.0,
            escaped(&bar.name)
        ));
        if [low, high, bar.value].iter().all(|it| it.is_finite()) {
            svg.push_str(&format!(
                "<path stroke=\"{colour}\" stroke-width=\"2\" d=\"M{:.1} {y:.1}H{:.1}\"/>\
                 <circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.5\" fill=\"{colour}\"/>",
                x.at(low),
                x.at(high),
                x.at(bar.value)
            ));
        }
    }
    svg.push_str("</svg>");
    Some(svg)
}

fn draw(
    svg: &mut String,
    axes: &Axes<'_>,
    series: &[Series<'_>],
    x: &Scale,
    y: &Scale,
) -> std::fmt::Result {
    let title = escaped(axes.title);
    write!(
        svg,
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\
         <title>{title}</title>"
    )?;
    let (left, right) = (ROOM[0], WIDTH - ROOM[1]);
    let (top, bottom) = (ROOM[2], HEIGHT - ROOM[3]);
    for tick in x.ticks() {
        let at = x.at(tick);
        write!(
            svg,
            "<path class=\"grid\" d=\"M{at:.1} {top}V{bottom}\"/>\
             <text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            written(tick)
        )?;
    }
    for tick in y.ticks() {
        let at = y.at(tick);
        write!(
            svg,
            "<path class=\"grid\" d=\"M{left} {at:.1}H{right}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            left - 6.0,
            at + 4.0,
            written(tick)
        )?;
    }
    write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\
         <text transform=\"translate(14 {:.1}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
        0.5 * (left + right),
        HEIGHT - 10.0,
        escaped(axes.x),
        0.5 * (top + bottom),
        escaped(axes.y),
    )?;
    let mut names = Vec::new();
    for (series, colour) in series.iter().zip(COLOURS.iter().cycle()) {
        one(svg, series, colour, x, y, &mut names)?;
    }
    svg.push_str("</svg>");
    Ok(())
}

fn one(
    svg: &mut String,
    series: &Series<'_>,
    colour: &str,
    x: &Scale,
    y: &Scale,
    names: &mut Vec<(f64, f64)>,
) -> std::fmt::Result {
    let name = escaped(series.name);
    let points: Vec<(f64, f64)> = series
        .points
        .iter()
        .filter(|point| point.0.is_finite() && point.1.is_finite())
        .map(|point| (x.at(point.0), y.at(point.1)))
        .collect();
    let Some((end_x, end_y)) = points.last().copied() else {
        return Ok(());
    };
    if points.len() == 1 {
        if let Some((low, high)) = series.interval {
            let (low, high) = (y.at(low), y.at(high));
            write!(
                svg,
                "<path stroke=\"{colour}\" stroke-width=\"2\" fill=\"none\" \
                 d=\"M{end_x:.1} {low:.1}V{high:.1}M{:.1} {low:.1}h8M{:.1} {high:.1}h8\"/>",
                end_x - 4.0,
                end_x - 4.0
            )?;
        }
        write!(
            svg,
            "<circle cx=\"{end_x:.1}\" cy=\"{end_y:.1}\" r=\"5\" fill=\"{colour}\"/>"
        )?;
    } else {
        svg.push_str("<path fill=\"none\" stroke-width=\"2\" d=\"");
        for (place, (x, y)) in points.iter().enumerate() {
            write!(svg, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' })?;
        }
        write!(svg, "\" stroke=\"{colour}\"/>")?;
    }
    // To the left of what stands at the right end.
    let (anchor, label_x) = match end_x > WIDTH - 120.0 {
        true => ("end", end_x - 9.0),
        false => ("start", end_x + 9.0),
    };
    // Above the names that stand there already.
    let mut label_y = end_y - 7.0;
    let stands = |at: f64, names: &[(f64, f64)]| {
        names
            .iter()
            .any(|(x, y)| (x - label_x).abs() < 110.0 && (y - at).abs() < 13.0)
    };
    while stands(label_y, names) {
        label_y -= 13.0;
    }
    names.push((label_x, label_y));
    write!(
        svg,
        "<text x=\"{label_x:.1}\" y=\"{label_y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{name}</text>",
    )
}

/// Where values lie on the page.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn new(values: impl Iterator<Item = f64>, from_zero: bool, from: f64, to: f64) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite()) {
            low = low.min(value);
            high = high.max(value);
        }
        if low > high {
            return None;
        }
        if from_zero {
            low = low.min(0.0);
        }
        let air = match high > low {
            true => 0.08 * (high - low),
            false => 0.1 * high.abs().max(0.1),
        };
        let low = if from_zero && low == 0.0 {
            low
        } else {
            low - air
        };
        Some(Self {
            low,
            high: high + air,
            from,
            to,
        })
    }

    fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Returns about five round values.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let unit = 10.0_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|times| times * unit)
            .find(|step| *step >= rough)
            .unwrap_or(10.0 * unit);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last.min(first + 20))
            .map(|tick| tick as f64 * step)
            .collect()
    }
}

/// Writes a tick's value without noise at its end.
fn written(value: f64) -> String {
    let text = match value.abs() {
        large if large >= 1e6 => return format!("{value:.0e}"),
        small if small > 0.0 && small < 1e-4 => return format!("{value:.0e}"),
        _ => format!("{value:.5}"),
    };
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// Returns a text that is no markup.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let scale = Scale {
            low: 0.03,
            high: 0.97,
            from: 0.0,
            to: 1.0,
        };
        let ticks: Vec<String> = scale.ticks().into_iter().map(written).collect();
        assert_eq!(ticks, ["0.2", "0.4", "0.6", "0.8"]);
        assert_eq!(written(2_000_000.0), "2e6");
        assert_eq!(written(0.0), "0");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        let axes = Axes {
            title: "t",
            x: "x",
            y: "y",
            x_from_zero: false,
        };
        assert_eq!(plot(&axes, &[]), None);
        let nan = Series {
            name: "a",
            points: vec![(f64::NAN, 1.0)],
            interval: None,
        };
        assert_eq!(plot(&axes, &[nan]), None);
        let one = Series {
            name: "<b>",
            points: vec![(3.0, 3.0)],
            interval: Some((2.0, 4.0)),
        };
        let svg = plot(&axes, &[one]).unwrap();
        assert!(svg.contains("&lt;b&gt;") && !svg.contains("NaN") && !svg.contains("inf"));
        let bar = |value: f64| Bar {
            name: "<a> over b".into(),
            value,
            interval: (value - 1.0, value + 1.0),
        };
        let svg = intervals("t", &[bar(0.5), bar(f64::NAN)], 0.1).unwrap();
        assert!(
            svg.contains("&lt;a&gt; over b") && !svg.contains("NaN"),
            "{svg}"
        );
        assert_eq!(svg.matches("<circle").count(), 1);
    }
}
