//! For the tests: a line through points, learnt by least squares. Its gradient is known
//! without a model, and it uses what chance decides, as dropout does.

use std::path::Path;

use tensor::Team;

use crate::learner::{Arena, Examination, Learner, Size};
use crate::order::mix;
use crate::{Recipe, TrainError};

/// `y = 2 x − 1` is to be found.
pub(crate) struct Line {
    pub(crate) values: [f32; 2],
    gradients: [f32; 2],
    points: Vec<(f32, f32)>,
    examinations: u32,
    /// From this step on (at ten steps an examination), examinations find it worse.
    pub(crate) worse_after: Option<u32>,
    /// An example whose answer is spoilt.
    pub(crate) spoilt: Option<(usize, f32)>,
}

/// Returns a recipe for it.
pub(crate) fn recipe(more: &str) -> Recipe {
    let more = if more.contains("[evaluation]") {
        more.to_owned()
    } else {
        format!("{more}[evaluation]\nevery = 10\n")
    };
    let text = format!(
        "model = {{ kind = \"base\", path = \"\" }}\ndata = {{ train = [] }}\n\
         optimiser = {{ learning_rate = 0.05 }}\nschedule = {{ kind = \"constant\" }}\n{more}"
    );
    toml::from_str(&text).expect("it is a recipe")
}

impl Line {
    pub(crate) fn new(points: usize) -> Self {
        let random = |at: usize| (mix(at as u64) >> 40) as f32 / (1 << 24) as f32 - 0.5;
        Self {
            values: [0.0; 2],
            gradients: [0.0; 2],
            points: (0..points)
                .map(|at| (4.0 * random(at), 8.0 * random(at) - 1.0))
                .collect(),
            examinations: 0,
            worse_after: None,
            spoilt: None,
        }
    }
}

impl Learner for Line {
    fn examples(&self) -> usize {
        self.points.len()
    }

    fn size(&self, _: usize) -> Size {
        Size {
            tokens: 1,
            units: 1.0,
        }
    }

    fn arena(&mut self) -> Arena<'_> {
        Arena {
            values: &mut self.values,
            gradients: &mut self.gradients,
            tensors: vec![(0..1, true), (1..2, false)],
        }
    }

    fn learn(
        &mut self,
        _: &Team,
        examples: &[usize],
        weight: f64,
        draw: u64,
    ) -> Result<f64, TrainError> {
        let mut sum = 0.0;
        for example in examples {
            let (x, mut y) = self.points[*example];
            if let Some((spoilt, by)) = self.spoilt
                && spoilt == *example
            {
                y += by;
            }
            let chance = (mix(draw) >> 40) as f32 / (1 << 24) as f32 * 0.01;
            let off = self.values[0] * x + self.values[1] - y + chance * 1e-3;
            self.gradients[0] += weight as f32 * off * x;
            self.gradients[1] += weight as f32 * off;
            sum += weight * f64::from(off * off) / 2.0;
        }
        Ok(sum)
    }

    fn examine(&mut self, _: &Team) -> Result<Option<Examination>, TrainError> {
        let off = f64::from((self.values[0] - 2.0).powi(2) + (self.values[1] + 1.0).powi(2));
        self.examinations += 1;
        let worse = match self.worse_after {
            Some(step) if self.examinations > step / 10 + 1 => f64::from(self.examinations) * 100.0,
            _ => 0.0,
        };
        Ok(Some(Examination {
            loss: off + worse,
            ..Examination::default()
        }))
    }

    fn show(&self, example: usize) -> String {
        format!("example {example}")
    }

    fn save(&self, folder: &Path, _: Option<&Examination>) -> Result<(), TrainError> {
        Ok(fs_err::write(
            folder.join("line.txt"),
            format!("{:?}", self.values),
        )?)
    }
}
