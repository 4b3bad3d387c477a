//! A run's state after a step, on the disk: everything that decides what the next steps do.
//!
//! A checkpoint is a folder `checkpoints/step-N` with the numbers that are learnt, the
//! optimiser's, and `state.json` with the counters and the others' checksums. It is written
//! under another name, made durable and renamed, so that it is there whole or not at all.
//! Numbers that go on to decide are kept by their bits.

use std::collections::BTreeMap;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use fs_err::File;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::TrainError;
use crate::learner::{Arena, Examination};
use crate::optimiser::Update;
use crate::recipe::Recipe;
use crate::watch::{Gap, Level};

const STATE: &str = "state.json";
const VALUES: &str = "values.f32";
const MOMENTS: &str = "moments.bin";

/// What a run's next step depends on, beside the numbers that are learnt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Steps that are done.
    pub(crate) step: u64,
    pub(crate) level: Level,
    pub(crate) gap: Gap,
    /// The best examination.
    pub(crate) best: Option<Examined>,
    /// The last one.
    pub(crate) last: Option<Examined>,
    /// Examinations since the best.
    without_gain: u32,
    /// The sum of the losses of the steps since the last examination, and how many they are.
    #[serde(with = "bits")]
    loss_sum: f64,
    loss_steps: u64,
    /// How long `events.jsonl` is.
    pub(crate) events_bytes: u64,
}

/// What an examination has found, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Examined {
    /// After which step.
    pub(crate) step: u64,
    #[serde(with = "bits")]
    pub(crate) loss: f64,
    metrics: BTreeMap<String, f64>,
}

impl Examined {
    fn new(step: u64, found: &Examination) -> Self {
        Self {
            step,
            loss: found.loss,
            metrics: found.metrics.clone(),
        }
    }

    pub(crate) fn examination(&self) -> Examination {
        Examination {
            loss: self.loss,
            metrics: self.metrics.clone(),
        }
    }
}

impl State {
    /// Takes a step's loss.
    pub(crate) fn took(&mut self, loss: f64) {
        self.step += 1;
        self.loss_sum += loss;
        self.loss_steps += 1;
    }

    /// Returns the mean loss of the steps since the last examination.
    pub(crate) fn training_loss(&self) -> Option<f64> {
        (self.loss_steps > 0).then(|| self.loss_sum / self.loss_steps as f64)
    }

    /// Takes an examination after this step, and returns whether none was better.
    pub(crate) fn examined(&mut self, found: &Examination) -> bool {
        let is_best = self.best.as_ref().is_none_or(|best| found.loss < best.loss);
        self.last = Some(Examined::new(self.step, found));
        if is_best {
            self.best.clone_from(&self.last);
        }
        self.without_gain = if is_best { 0 } else { self.without_gain + 1 };
        (self.loss_sum, self.loss_steps) = (0.0, 0);
        is_best
    }

    /// Returns whether the recipe would not wait any longer for something better.
    pub(crate) fn is_enough(&self, recipe: &Recipe) -> bool {
        let patience = recipe.evaluation.patience;
        patience.is_some_and(|patience| self.without_gain >= patience)
    }
}

/// `state.json`.
#[derive(Serialize, Deserialize)]
struct Written {
    state: State,
    /// Checksums (XXH3, 64 bits) of the files beside it.
    values: u64,
    moments: u64,
}

/// Writes a checkpoint as `folder`.
pub(crate) fn write(
    folder: &Path,
    arena: &Arena<'_>,
    update: &Update,
    state: &State,
) -> Result<(), TrainError> {
    beside(folder, |part| {
        let values = write_values(part, arena)?;
        let moments = write_file(&part.join(MOMENTS), |to| update.write(to))?;
        let written = Written {
            state: state.clone(),
            values,
            moments,
        };
        write_json(&part.join(STATE), &written)
    })
}

/// Writes only the numbers that are learnt, as `folder`.
pub(crate) fn write_learnt(folder: &Path, arena: &Arena<'_>) -> Result<(), TrainError> {
    beside(folder, |part| {
        let checksum = write_values(part, arena)?;
        write_json(&part.join(STATE), &checksum)
    })
}

/// Reads a checkpoint into `arena` and `update`, and returns its state.
pub(crate) fn read(
    folder: &Path,
    arena: &mut Arena<'_>,
    update: &mut Update,
) -> Result<State, TrainError> {
    let written: Written = read_json(&folder.join(STATE))?;
    read_values(folder, arena, written.values)?;
    let path = folder.join(MOMENTS);
    let mut from = Hashed::new(BufReader::new(File::open(&path)?));
    update
        .read(&mut from)
        .and_then(|()| from.end())
        .map_err(|error| damaged(&path, error.to_string()))?;
    expect(&path, from.hash.digest(), written.moments)?;
    Ok(written.state)
}

/// Returns the state of a checkpoint alone.
pub(crate) fn read_state(folder: &Path) -> Result<State, TrainError> {
    Ok(read_json::<Written>(&folder.join(STATE))?.state)
}

/// Reads what [`write_learnt`] wrote.
pub(crate) fn read_learnt(folder: &Path, arena: &mut Arena<'_>) -> Result<(), TrainError> {
    let checksum: u64 = read_json(&folder.join(STATE))?;
    read_values(folder, arena, checksum)
}

/// Fills a folder beside `folder`, makes it durable, and gives it that name.
pub(crate) fn beside(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), TrainError>,
) -> Result<(), TrainError> {
    let name = folder.file_name().expect("a checkpoint has a name");
    let part = folder.with_file_name(format!(".{}.part", name.to_string_lossy()));
    remove(&part)?;
    fs_err::create_dir_all(&part)?;
    fill(&part)?;
    sync_folder(&part)?;
    // One of the same step, from before the run was broken off.
    remove(folder)?;
    fs_err::rename(&part, folder)?;
    sync_folder(folder.parent().expect("a checkpoint lies in a folder"))
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), TrainError> {
    match fs_err::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> Result<(), TrainError> {
    // Elsewhere a folder cannot be opened, and its names need no care.
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn write_values(folder: &Path, arena: &Arena<'_>) -> Result<u64, TrainError> {
    write_file(&folder.join(VALUES), |to| {
        to.write_all(bytemuck::cast_slice(&*arena.values))
    })
}

fn read_values(folder: &Path, arena: &mut Arena<'_>, checksum: u64) -> Result<(), TrainError> {
    let path = folder.join(VALUES);
    let found = fs_err::metadata(&path)?.len() as usize / size_of::<f32>();
    if found != arena.values.len() {
        return Err(TrainError::OfAnother {
            path: folder.into(),
            what: "numbers that are learnt",
            expected: arena.values.len(),
            found,
        });
    }
    let mut from = Hashed::new(BufReader::new(File::open(&path)?));
    from.read_exact(bytemuck::cast_slice_mut(&mut *arena.values))?;
    expect(&path, from.hash.digest(), checksum)
}

/// Writes a file, makes it durable, and returns its checksum.
fn write_file(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<u64, TrainError> {
    let mut to = Hashed::new(BufWriter::new(File::create(path)?));
    fill(&mut to)?;
    let checksum = to.hash.digest();
    let file = to
        .inner
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(checksum)
}

/// Writes `value` behind a line with its checksum.
fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let json = serde_json::to_vec_pretty(value).map_err(io::Error::from)?;
    write_file(path, |to| {
        writeln!(to, "{:016x}", xxh3_64(&json))?;
        to.write_all(&json)
    })?;
    Ok(())
}

fn read_json<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<T, TrainError> {
    let text = fs_err::read_to_string(path)?;
    let (checksum, json) = text.split_once('\n').unwrap_or_default();
    let Ok(checksum) = u64::from_str_radix(checksum, 16) else {
        return Err(damaged(path, "does not begin with a checksum".into()));
    };
    expect(path, xxh3_64(json.as_bytes()), checksum)?;
    serde_json::from_str(json)
        .map_err(|error| damaged(path, format!("is not what was written: {error}")))
}

fn damaged(path: &Path, what: String) -> TrainError {
    TrainError::Damaged {
        path: path.into(),
        what,
    }
}

fn expect(path: &Path, found: u64, checksum: u64) -> Result<(), TrainError> {
    if found == checksum {
        return Ok(());
    }
    Err(damaged(
        path,
        "has another checksum than when it was written".into(),
    ))
}

/// A file whose checksum is taken on the way.
struct Hashed<F> {
    inner: F,
    hash: Xxh3,
}

impl<F> Hashed<F> {
    fn new(inner: F) -> Self {
        Self {
            inner,
            hash: Xxh3::new(),
        }
    }
}

impl<F: Read> Hashed<F> {
    /// Fails if there is more.
    fn end(&mut self) -> io::Result<()> {
        match self.inner.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::other("is longer than what was written")),
        }
    }
}

impl<F: Write> Write for Hashed<F> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<F: Read> Read for Hashed<F> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }
}

/// A number by its bits, so that it comes back as it was.
pub(crate) mod bits {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        value.to_bits().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        u64::deserialize(from).map(f64::from_bits)
    }
}

/// Returns the checkpoints in `folder`, oldest first, with their steps; `prefix` is what comes
/// before the step in their names.
pub(crate) fn list(folder: &Path, prefix: &str) -> Result<Vec<(u64, PathBuf)>, TrainError> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(step) = name.strip_prefix(prefix).and_then(|it| it.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Optimiser;

    fn checkpoint(folder: &Path) -> PathBuf {
        let folder = folder.join("step-3");
        let (mut values, mut gradients) = ([1.0, f32::MIN_POSITIVE, -0.0], [0.0; 3]);
        let arena = arena(&mut values, &mut gradients);
        let update = Update::new(&Optimiser::default(), &arena, None);
        write(
            &folder,
            &arena,
            &update,
            &State {
                step: 3,
                ..State::default()
            },
        )
        .unwrap();
        folder
    }

    fn arena<'a>(values: &'a mut [f32], gradients: &'a mut [f32]) -> Arena<'a> {
        Arena {
            tensors: vec![(0..values.len(), true)],
            values,
            gradients,
        }
    }

    fn read_back(folder: &Path, count: usize) -> Result<(State, Vec<f32>), TrainError> {
        let (mut values, mut gradients) = (vec![9.0; count], vec![0.0; count]);
        let mut arena = arena(&mut values, &mut gradients);
        let mut update = Update::new(&Optimiser::default(), &arena, None);
        let state = read(folder, &mut arena, &mut update)?;
        Ok((state, values))
    }

    #[test]
    fn what_was_written_is_read() {
        let room = tempfile::tempdir().unwrap();
        let folder = checkpoint(room.path());
        let (state, values) = read_back(&folder, 3).unwrap();
        assert_eq!(state.step, 3);
        assert!(values[2].is_sign_negative());
        assert_eq!(values[..2], [1.0, f32::MIN_POSITIVE]);
    }

    #[test]
    fn a_flipped_bit_or_a_missing_end_is_seen() {
        for file in [VALUES, MOMENTS, STATE] {
            for cut in [true, false] {
                let room = tempfile::tempdir().unwrap();
                let folder = checkpoint(room.path());
                let mut bytes = fs_err::read(folder.join(file)).unwrap();
                if cut {
                    bytes.pop();
                } else {
                    bytes[1] ^= 4;
                }
                fs_err::write(folder.join(file), bytes).unwrap();
                assert!(read_back(&folder, 3).is_err(), "{file}, cut: {cut}");
            }
        }
    }

    #[test]
    fn a_checkpoint_of_another_model_is_refused() {
        let room = tempfile::tempdir().unwrap();
        let error = read_back(&checkpoint(room.path()), 4)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("has 3 numbers that are learnt, expected 4"),
            "{error}"
        );
    }

    #[test]
    fn numbers_keep_their_bits() {
        let best = Examined {
            step: 1,
            loss: 0.1 + 0.2,
            metrics: BTreeMap::new(),
        };
        let state = State {
            best: Some(best),
            ..State::default()
        };
        let json = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<State>(&json).unwrap(), state);
    }
}
