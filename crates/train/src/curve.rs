//! The loss over the steps, for the terminal and as a picture.

use std::fmt;

use crate::Event;

/// A loss after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The step, from 1; 0 is before the first.
    pub step: u64,
    /// The loss.
    pub loss: f64,
}

/// A run's losses over its steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// Of each step.
    pub training: Vec<Point>,
    /// Of each examination.
    pub examined: Vec<Point>,
}

impl Curve {
    /// Reads the lines of `events.jsonl`.
    pub fn of_events(lines: &str) -> Self {
        let mut curve = Self::default();
        for line in lines.lines() {
            let Ok(event) = serde_json::from_str::<serde_json::Value>(line) else {
                continue;
            };
            let (Some(step), Some(loss)) = (event["step"].as_u64(), event["loss"].as_f64()) else {
                continue;
            };
            let point = Point { step, loss };
            match event["event"].as_str() {
                Some("step") => curve.training.push(point),
                Some("examined") => curve.examined.push(point),
                _ => {}
            }
        }
        curve
    }

    /// Adds what an event says of the loss.
    pub(crate) fn take(&mut self, event: &Event) {
        match *event {
            Event::Step { step, loss, .. } => self.training.push(Point { step, loss }),
            Event::Examined { step, loss, .. } => self.examined.push(Point { step, loss }),
            _ => {}
        }
    }

    /// Returns the steps and losses between which all points lie.
    fn bounds(&self) -> Option<(f64, f64, f64)> {
        let all = || self.training.iter().chain(&self.examined);
        let steps = all().map(|it| it.step).max()? as f64;
        let losses = || all().map(|it| it.loss);
        let low = losses().fold(f64::INFINITY, f64::min);
        let high = losses().fold(f64::NEG_INFINITY, f64::max);
        // A flat line still has a height.
        Some((
            steps.max(1.0),
            low,
            if high > low { high } else { low + 1.0 },
        ))
    }

    /// Returns the lines of a drawing for the terminal, `width` columns and `height` rows of
    /// two dots by four: a dot for each training loss (the mean of those that share a
    /// column), `o` for each examination.
    pub fn text(&self, width: usize, height: usize) -> Vec<String> {
        let Some((steps, low, high)) = self.bounds() else {
            return Vec::new();
        };
        let margin = format!("{high:.2}").len().max(format!("{low:.2}").len()) + 1;
        let columns = width.saturating_sub(margin + 1).max(10);
        let (dots_wide, dots_high) = (columns * 2, height * 4);
        let across = |step: u64, of: usize| {
            ((step as f64 / steps * (of - 1) as f64).round() as usize).min(of - 1)
        };
        let down = |loss: f64, of: usize| {
            (((high - loss) / (high - low) * (of - 1) as f64).round() as usize).min(of - 1)
        };
        let mut cells = vec![vec![0u8; columns]; height];
        for (x, loss) in means(&self.training, |step| across(step, dots_wide)) {
            let y = down(loss, dots_high);
            cells[y / 4][x / 2] |= BRAILLE[y % 4][x % 2];
        }
        let mut lines: Vec<Vec<char>> = cells
            .iter()
            .map(|row| row.iter().map(|dots| braille(*dots)).collect())
            .collect();
        for point in &self.examined {
            lines[down(point.loss, height)][across(point.step, columns)] = 'o';
        }
        let last = height - 1;
        let mut drawn: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(row, line)| {
                let label = match row {
                    0 => format!("{high:.2}"),
                    _ if row == last => format!("{low:.2}"),
                    _ => String::new(),
                };
                let line: String = line.iter().collect();
                format!("{label:>margin$}│{}", line.trim_end())
                    .trim_end()
                    .to_owned()
            })
            .collect();
        let steps = format!("step {steps}");
        drawn.push(format!("{:margin$}└{}", "", "─".repeat(columns)));
        drawn.push(format!(
            "{:margin$} 0{steps:>rest$}",
            "",
            rest = columns - 1
        ));
        drawn
    }

    /// Returns the curves as a picture in SVG.
    pub fn svg(&self) -> Svg<'_> {
        Svg(self)
    }
}

/// The dots of a Braille character, by row and column (Unicode 2800).
const BRAILLE: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

fn braille(dots: u8) -> char {
    if dots == 0 {
        ' '
    } else {
        char::from_u32(0x2800 + u32::from(dots)).expect("all of the block are characters")
    }
}

/// Returns the mean loss of the points that fall into the same place, in order.
fn means(points: &[Point], place: impl Fn(u64) -> usize) -> Vec<(usize, f64)> {
    points
        .chunk_by(|one, next| place(one.step) == place(next.step))
        .map(|together| {
            let sum: f64 = together.iter().map(|it| it.loss).sum();
            (place(together[0].step), sum / together.len() as f64)
        })
        .collect()
}

/// A [`Curve`] as a picture.
pub struct Svg<'a>(&'a Curve);

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 48.0;

impl fmt::Display for Svg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (steps, low, high) = self.0.bounds().unwrap_or((1.0, 0.0, 1.0));
        let x = |step: u64| MARGIN + step as f64 / steps * (WIDTH - 2.0 * MARGIN);
        let y = |loss: f64| MARGIN + (high - loss) / (high - low) * (HEIGHT - 2.0 * MARGIN);
        let (left, right, top, bottom) = (MARGIN, WIDTH - MARGIN, MARGIN, HEIGHT - MARGIN);
        writeln!(
            f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">"
        )?;
        writeln!(f, "<title>Loss over steps</title>")?;
        writeln!(
            f,
            "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>"
        )?;
        writeln!(
            f,
            "<path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888888\"/>"
        )?;
        for loss in [high, low] {
            let (x, y) = (left - 6.0, y(loss) + 4.0);
            writeln!(
                f,
                "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{loss:.2}</text>"
            )?;
        }
        let below = bottom + 18.0;
        writeln!(f, "<text x=\"{left}\" y=\"{below}\">0</text>")?;
        writeln!(
            f,
            "<text x=\"{right}\" y=\"{below}\" text-anchor=\"end\">step {steps}</text>"
        )?;
        // More points than the picture has places are not seen.
        let place = |step: u64| (x(step) * 2.0) as usize;
        let training = means(&self.0.training, place);
        polyline(
            f,
            "#9db8d9",
            1.0,
            training
                .iter()
                .map(|(at, loss)| (*at as f64 / 2.0, y(*loss))),
        )?;
        let examined = self.0.examined.iter().map(|it| (x(it.step), y(it.loss)));
        polyline(f, "#c2410c", 2.0, examined.clone())?;
        for (x, y) in examined {
            writeln!(
                f,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#c2410c\"/>"
            )?;
        }
        for (name, color, at) in [("training", "#5b7fae", 0.0), ("dev", "#c2410c", 70.0)] {
            let x = right - 110.0 + at;
            writeln!(
                f,
                "<text x=\"{x}\" y=\"{}\" fill=\"{color}\">{name}</text>",
                top - 14.0
            )?;
        }
        f.write_str("</svg>\n")
    }
}

fn polyline(
    f: &mut fmt::Formatter<'_>,
    color: &str,
    width: f64,
    points: impl Iterator<Item = (f64, f64)>,
) -> fmt::Result {
    write!(
        f,
        "<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" points=\""
    )?;
    for (x, y) in points {
        write!(f, "{x:.1},{y:.1} ")?;
    }
    f.write_str("\"/>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: &str = "\
{\"event\":\"examined\",\"step\":0,\"loss\":4.0}
{\"event\":\"step\",\"step\":1,\"loss\":4.0}
{\"event\":\"step\",\"step\":2,\"loss\":2.0}
{\"event\":\"saved\",\"step\":2}
{\"event\":\"step\",\"step\":3,\"loss\":1.0}
cut sho";

    #[test]
    fn events_become_points_and_a_torn_line_is_passed_over() {
        let curve = Curve::of_events(EVENTS);
        assert_eq!(curve.training.len(), 3);
        assert_eq!(curve.examined, [Point { step: 0, loss: 4.0 }]);
    }

    #[test]
    fn the_terminal_shows_where_it_began_and_ended() {
        let lines = Curve::of_events(EVENTS).text(24, 4);
        assert_eq!(
            lines,
            [
                " 4.00│o     ⠁",
                "     │",
                "     │           ⠠",
                " 1.00│                 ⢀",
                "     └──────────────────",
                "      0           step 3",
            ]
        );
        assert!(Curve::default().text(40, 5).is_empty());
    }

    #[test]
    fn the_picture_is_whole_even_without_points() {
        for curve in [Curve::default(), Curve::of_events(EVENTS)] {
            let svg = curve.svg().to_string();
            assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
