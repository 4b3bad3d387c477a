//! What memory a run will take, and what would make it less.

use std::fmt;

use ::train::{Precision, Recipe, States, Tuning};
use contract::Bytes;
use model::training::{Lora, MemoryPlan, RankBudget};

use super::TrainingError;
use super::lessons::Lessons;
use super::source::{self, Source};

/// The memory that a run takes, by what it is for; in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// Numbers that are learnt: how many.
    pub parameters: usize,
    /// These numbers.
    pub weights: usize,
    /// Their gradients.
    pub gradients: usize,
    /// What the optimiser remembers of them.
    pub moments: usize,
    /// Numbers that do not change. Of a file that is mapped they need not all be there at
    /// once.
    pub frozen: usize,
    /// Whether these are packed once for all products, which is faster: where at least as much
    /// is left beside the run as it takes.
    pub packed: bool,
    /// What a forward keeps for its backward.
    pub activations: usize,
    /// What is used within one layer.
    pub scratch: usize,
    /// What the program has already: the examples, above all.
    pub process: usize,
    /// The most that it has had, to read the examples and to learn a vocabulary.
    pub before: usize,
    /// What the machine has left, if the system tells.
    pub available: Option<usize>,
    /// What would make it less, the least change first; only if it does not fit.
    pub remedies: Vec<Remedy>,
}

/// A change to the recipe that makes a run smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// The keys, as a recipe has them.
    pub change: String,
    /// The memory that the run then takes, in bytes.
    pub bytes: usize,
}

impl Estimate {
    /// Returns the sum, in bytes.
    pub fn total(&self) -> usize {
        self.weights
            + self.gradients
            + self.moments
            + self.frozen
            + self.activations
            + self.scratch
            + self.process
    }

    /// Returns the most that the program will have had at the end, in bytes.
    pub fn peak(&self) -> usize {
        self.total().max(self.before)
    }

    /// Packs what does not change, which takes `more` bytes, if the run then takes at most half
    /// of what the machine has left.
    fn packed_if_small(mut self, more: usize) -> Self {
        let taken = self.total() - self.process + more;
        self.packed = more > 0 && self.available.is_none_or(|it| taken <= it / 2);
        if self.packed {
            self.frozen += more;
        }
        self
    }

    /// Returns whether the machine has so much left. Where the system does not tell, it has.
    pub fn fits(&self) -> bool {
        self.available
            .is_none_or(|available| self.total() - self.process <= available)
    }

    pub(super) fn hint(&self) -> Option<String> {
        let available = self.available.unwrap_or(usize::MAX);
        let available = available.saturating_add(self.process);
        let (fit, rest): (Vec<_>, Vec<_>) =
            self.remedies.iter().partition(|it| it.bytes <= available);
        let list = |remedies: &[&Remedy]| {
            let lines = remedies
                .iter()
                .map(|it| format!("  {:<42} {}", it.change, Bytes(it.bytes as u64)));
            lines.collect::<Vec<_>>().join("\n")
        };
        match (fit.is_empty(), rest.is_empty()) {
            (true, true) => None,
            (true, false) => Some(format!(
                "none of these alone is enough; take several, or a smaller model:\n{}",
                list(&rest)
            )),
            (false, _) => Some(format!("each of these alone makes it fit:\n{}", list(&fit))),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |count: usize| Bytes(count as u64);
        write!(f, "the run would take {}", bytes(self.total()))?;
        if let Some(available) = self.available {
            write!(f, ", and {} are left", bytes(available))?;
        }
        write!(
            f,
            ": weights {}, gradients {}, optimiser {}, frozen {}, activations {}",
            bytes(self.weights),
            bytes(self.gradients),
            bytes(self.moments),
            bytes(self.frozen),
            bytes(self.activations + self.scratch),
        )
    }
}

/// Returns what `recipe` takes; with what would make it less, if that is too much.
pub(super) fn estimate(
    recipe: &Recipe,
    source: &Source,
    lessons: &Lessons,
) -> Result<Estimate, TrainingError> {
    let mut estimate = take(recipe, source, lessons)?;
    if estimate.fits() {
        return Ok(estimate);
    }
    for (change, recipe) in smaller(recipe) {
        // A change that the model does not allow is no remedy.
        let Ok(less) = take(&recipe, source, lessons) else {
            continue;
        };
        if less.total() < estimate.total() {
            estimate.remedies.push(Remedy {
                change,
                bytes: less.total(),
            });
        }
    }
    Ok(estimate)
}

/// Returns what `recipe` takes.
fn take(recipe: &Recipe, source: &Source, lessons: &Lessons) -> Result<Estimate, TrainingError> {
    let room = lessons.room(recipe);
    let plan = source.plan(
        recipe,
        lessons.task().as_ref(),
        &source::options(recipe, room),
    )?;
    Ok(of_plan(recipe, plan).packed_if_small(plan.packed))
}

/// Returns what `recipe` takes with a model of this plan.
pub(super) fn of_plan(recipe: &Recipe, plan: MemoryPlan) -> Estimate {
    let parameters = plan.weights / size_of::<f32>();
    Estimate {
        parameters,
        weights: plan.weights,
        gradients: plan.gradients,
        moments: match recipe.optimiser.states {
            States::F32 => 2 * plan.weights,
            // A byte each and a scale of four bytes for 256 of them.
            States::Int8 => 2 * (parameters + parameters / 64),
        } + match recipe.tuning {
            Tuning::AdaLora(_) => RankBudget::bytes_of(parameters),
            _ => 0,
        },
        frozen: plan.frozen,
        packed: false,
        activations: plan.activations,
        scratch: plan.scratch,
        process: resident().unwrap_or(0) as usize,
        before: peak().unwrap_or(0) as usize,
        available: available(),
        remedies: Vec::new(),
    }
}

/// Returns recipes that take less, each with what was changed.
fn smaller(recipe: &Recipe) -> Vec<(String, Recipe)> {
    let mut found = Vec::new();
    let mut add = |change: String, alter: &dyn Fn(&mut Recipe)| {
        let mut less = recipe.clone();
        alter(&mut less);
        if less != *recipe {
            found.push((change, less));
        }
    };
    let steps = recipe.steps;
    if steps.batch > 1 {
        let accumulation = steps.accumulation * steps.batch;
        add(
            format!("steps = {{ batch = 1, accumulation = {accumulation} }}"),
            &|it| (it.steps.batch, it.steps.accumulation) = (1, accumulation),
        );
    }
    add("technique.packing = true".into(), &|it| {
        it.technique.packing = true;
    });
    add("technique.checkpointing = true".into(), &|it| {
        it.technique.checkpointing = true;
    });
    add("technique.precision = \"bf16\"".into(), &|it| {
        it.technique.precision = Precision::Bf16;
    });
    add("optimiser.states = \"int8\"".into(), &|it| {
        it.optimiser.states = States::Int8;
    });
    if recipe.tuning == Tuning::Full {
        add("tuning.kind = \"lora\"".into(), &|it| {
            it.tuning = Tuning::Lora(Lora::default());
        });
    }
    let lora = match &recipe.tuning {
        Tuning::Lora(lora) | Tuning::QLora(lora) => lora.clone(),
        _ => Lora::default(),
    };
    add("tuning.kind = \"qlora\"".into(), &move |it| {
        it.tuning = Tuning::QLora(lora.clone());
    });
    found
}

/// Returns the bytes that the machine, or the group of processes that we are in, has left.
/// Linux tells (`proc_meminfo(5)`, control groups version 2); elsewhere it is not known.
fn available() -> Option<usize> {
    let kilobytes = field("/proc/meminfo", "MemAvailable:")?;
    let machine = kilobytes.saturating_mul(1024);
    let number = |file| {
        std::fs::read_to_string(file)
            .ok()?
            .trim()
            .parse::<usize>()
            .ok()
    };
    let group = number("/sys/fs/cgroup/memory.max")
        .zip(number("/sys/fs/cgroup/memory.current"))
        .map(|(most, taken)| most.saturating_sub(taken));
    Some(group.map_or(machine, |group| group.min(machine)))
}

/// Returns the most memory that this process has had, in bytes, where the system tells.
pub(crate) fn peak() -> Option<u64> {
    Some(field("/proc/self/status", "VmHWM:")? as u64 * 1024)
}

/// Returns the memory that this process has, in bytes, where the system tells.
pub(crate) fn resident() -> Option<u64> {
    Some(field("/proc/self/status", "VmRSS:")? as u64 * 1024)
}

/// Makes [`peak`] begin anew with what this process has now, where the system allows it.
pub(crate) fn forget_peak() {
    // `proc_pid_clear_refs(5)`; elsewhere the peak remains that of all before.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Returns the number behind `name` in a file of such lines.
fn field(file: &str, name: &str) -> Option<usize> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn estimate(available: usize) -> Estimate {
        let remedy = |change: &str, bytes| Remedy {
            change: change.into(),
            bytes,
        };
        Estimate {
            parameters: 25,
            weights: 100,
            gradients: 100,
            moments: 200,
            frozen: 0,
            packed: false,
            activations: 600,
            scratch: 0,
            process: 0,
            before: 0,
            available: Some(available),
            remedies: vec![remedy("a = 1", 700), remedy("b = 2", 300)],
        }
    }

    #[test]
    fn what_does_not_fit_is_said_with_what_would() {
        let found = estimate(500);
        assert!(!found.fits() && estimate(1000).fits());
        let hint = found.hint().unwrap();
        assert!(hint.contains("b = 2") && !hint.contains("a = 1"), "{hint}");
        assert!(estimate(10).hint().unwrap().contains("take several"));
    }

    #[test]
    fn what_stays_is_packed_where_there_is_room_twice() {
        let check = |available, expect: (bool, usize)| {
            let found = estimate(available).packed_if_small(200);
            assert_eq!((found.packed, found.frozen), expect);
        };
        check(2400, (true, 200));
        check(2399, (false, 0));
        assert!(!estimate(2400).packed_if_small(0).packed);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_what_is_left_and_what_was_taken() {
        assert!(available().unwrap() > 1 << 20);
        assert!(peak().unwrap() > 1 << 20);
    }
}
