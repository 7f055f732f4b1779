//! A chart as SVG: lines over two axes.

use std::fmt::{self, Display, Formatter};

use super::{
    escape::Escaped,
    scale::{Axis, Scale},
};

const WIDTH: f64 = 680.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 250.0;

/// Lines over two axes.
pub(super) struct Chart {
    /// Unique in the page.
    pub(super) id: &'static str,
    /// What the chart shows, for those who do not see it.
    pub(super) title: &'static str,
    /// What there is to be seen.
    pub(super) description: String,
    /// Across.
    pub(super) x: Axis,
    /// Up.
    pub(super) y: Axis,
    /// The lines, from the back to the front.
    pub(super) series: Vec<Series>,
}

/// One line. How it looks is the style sheet's matter: `series-1` and so on.
pub(super) struct Series {
    /// What it shows.
    pub(super) name: &'static str,
    /// Its points from left to right; a gap ends a run of them.
    pub(super) runs: Vec<Vec<(f64, f64)>>,
    /// How its points are told.
    pub(super) form: Form,
}

/// How the points of a line are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A line through them.
    Line,
    /// A line, and a dot at each.
    Dots,
    /// The surface below the line.
    Area,
}

impl Display for Chart {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let id = self.id;
        write!(
            f,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-description\">\n\
             <title id=\"{id}-title\">{}</title>\n\
             <desc id=\"{id}-description\">{}</desc>\n",
            Escaped(self.title),
            Escaped(&self.description)
        )?;
        self.grid(f)?;
        for (number, series) in (1..).zip(&self.series) {
            writeln!(f, "<g class=\"series-{number}\">")?;
            for run in &series.runs {
                self.run(f, series.form, run)?;
            }
            writeln!(f, "</g>")?;
        }
        writeln!(f, "</svg>")
    }
}

impl Chart {
    /// The names of the lines, each with a mark in its colour.
    pub(super) fn legend(&self) -> impl Display {
        let items = (1..).zip(&self.series).map(|(number, series)| {
            format!(
                "<li><svg viewBox=\"0 0 24 8\" aria-hidden=\"true\" class=\"series-{number}\">\
                 <path d=\"M0 4H24\"/></svg>{}</li>",
                Escaped(series.name)
            )
        });
        format!("<ul class=\"legend\">{}</ul>", items.collect::<String>())
    }

    fn grid(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "<g class=\"grid\">")?;
        for (value, name) in &self.y.ticks {
            let y = up(self.y.scale, *value);
            writeln!(
                f,
                "<path d=\"M{LEFT} {y:.1}H{RIGHT}\"/><text x=\"{:.1}\" y=\"{:.1}\" \
                 text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                Escaped(name)
            )?;
        }
        for (value, name) in &self.x.ticks {
            let x = across(self.x.scale, *value);
            writeln!(
                f,
                "<path d=\"M{x:.1} {BOTTOM}v5\"/><text x=\"{x:.1}\" y=\"{:.1}\" \
                 text-anchor=\"middle\">{}</text>",
                BOTTOM + 20.0,
                Escaped(name)
            )?;
        }
        writeln!(
            f,
            "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>\
             <text class=\"label\" x=\"0\" y=\"11\">{}</text>\
             <text class=\"label\" x=\"{RIGHT}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\
             </g>",
            Escaped(self.y.label),
            HEIGHT - 6.0,
            Escaped(self.x.label)
        )
    }

    fn run(&self, f: &mut Formatter<'_>, form: Form, run: &[(f64, f64)]) -> fmt::Result {
        let points = || {
            run.iter()
                .map(|&(x, y)| (across(self.x.scale, x), up(self.y.scale, y)))
        };
        let line = Line(points().collect());
        match (form, line.0.as_slice()) {
            (_, []) => Ok(()),
            (Form::Area, [(first, _), .., (last, _)]) => writeln!(
                f,
                "<path class=\"area\" d=\"{line}L{last:.1} {BOTTOM}L{first:.1} {BOTTOM}Z\"/>\
                 <path class=\"line\" d=\"{line}\"/>"
            ),
            // A line of one point would not be seen.
            (Form::Line | Form::Area, [(x, y)]) => dot(f, *x, *y),
            (Form::Line, _) => writeln!(f, "<path class=\"line\" d=\"{line}\"/>"),
            (Form::Dots, points) => {
                writeln!(f, "<path class=\"line\" d=\"{line}\"/>")?;
                points.iter().try_for_each(|&(x, y)| dot(f, x, y))
            }
        }
    }
}

/// The path through points of the picture.
struct Line(Vec<(f64, f64)>);

impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, (x, y)) in self.0.iter().enumerate() {
            let command = if index == 0 { 'M' } else { 'L' };
            write!(f, "{command}{x:.1} {y:.1}")?;
        }
        Ok(())
    }
}

fn dot(f: &mut Formatter<'_>, x: f64, y: f64) -> fmt::Result {
    writeln!(f, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\"/>")
}

fn across(scale: Scale, value: f64) -> f64 {
    LEFT + scale.position(value) * (RIGHT - LEFT)
}

fn up(scale: Scale, value: f64) -> f64 {
    BOTTOM - scale.position(value) * (BOTTOM - TOP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(form: Form, runs: Vec<Vec<(f64, f64)>>) -> String {
        let axis = |label| Axis::linear(label, (0.0, 10.0), |value| format!("{value}"));
        let chart = Chart {
            id: "c",
            title: "<b>",
            description: "rises & falls".to_owned(),
            x: axis("time"),
            y: axis("height"),
            series: vec![Series {
                name: "a",
                runs,
                form,
            }],
        };
        chart.to_string()
    }

    #[test]
    fn a_line_goes_from_the_lower_left_to_the_upper_right() {
        let svg = chart(Form::Line, vec![vec![(0.0, 0.0), (10.0, 10.0)]]);
        assert!(svg.contains("d=\"M64.0 250.0L660.0 28.0\""), "{svg}");
    }

    #[test]
    fn gaps_stay_gaps_and_a_lone_point_is_seen() {
        let svg = chart(
            Form::Line,
            vec![vec![(0.0, 1.0), (1.0, 1.0)], vec![(5.0, 5.0)]],
        );
        assert_eq!(svg.matches("class=\"line\"").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 1);
    }

    #[test]
    fn the_chart_is_described_and_its_text_escaped() {
        let svg = chart(Form::Dots, Vec::new());
        assert!(svg.contains("aria-labelledby=\"c-title c-description\""));
        assert!(svg.contains("<title id=\"c-title\">&lt;b&gt;</title>"));
        assert!(svg.contains(">time</text>") && svg.contains(">height</text>"));
        assert!(svg.contains("<desc id=\"c-description\">rises &amp; falls</desc>"));
    }
}
