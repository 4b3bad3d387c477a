//! A run's curves as TensorBoard reads them.
//!
//! An event file is a row of records (TFRecord): a length, its checksum, a message, its
//! checksum, all little-endian; the checksums are CRC-32C, rotated and offset
//! (`tensorflow/core/lib/hash/crc32c.h`). A message is an `Event` of
//! `tensorflow/core/util/event.proto`, of which a step, a time and scalars are used.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use fs_err::File;

use crate::{Event, TrainError};

/// Writes one event file, from the first event on. A run that goes on begins another: its
/// steps replace those of the files before.
pub(crate) struct TensorBoard {
    folder: PathBuf,
    file: Option<File>,
}

impl TensorBoard {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.into(),
            file: None,
        }
    }

    /// Keeps what of an event is a number over the steps.
    pub(crate) fn note(&mut self, event: &Event) -> Result<(), TrainError> {
        match event {
            Event::Step {
                step,
                loss,
                gradient_norm,
                learning_rate,
                tokens_per_second,
                ..
            } => self.write(
                *step,
                &[
                    ("train/loss", *loss),
                    ("train/gradient_norm", *gradient_norm),
                    ("train/learning_rate", *learning_rate),
                    ("train/tokens_per_second", *tokens_per_second),
                ],
            ),
            Event::Examined {
                step,
                loss,
                metrics,
                ..
            } => {
                let names: Vec<String> = metrics.keys().map(|it| format!("dev/{it}")).collect();
                let mut scalars = vec![("dev/loss", *loss)];
                scalars.extend(
                    names
                        .iter()
                        .map(String::as_str)
                        .zip(metrics.values().copied()),
                );
                self.write(*step, &scalars)
            }
            _ => Ok(()),
        }
    }

    fn write(&mut self, step: u64, scalars: &[(&str, f64)]) -> Result<(), TrainError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let seconds = now.as_secs_f64();
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                fs_err::create_dir_all(&self.folder)?;
                let name = format!("events.out.tfevents.{}.groundtune", now.as_nanos());
                let mut file = File::create(self.folder.join(name))?;
                file.write_all(&record(&version(seconds)))?;
                none.insert(file)
            }
        };
        file.write_all(&record(&event(seconds, step, scalars)))?;
        Ok(())
    }
}

/// Returns the first message of a file.
fn version(seconds: f64) -> Vec<u8> {
    let mut message = Vec::new();
    double(&mut message, 1, seconds);
    bytes(&mut message, 3, b"brain.Event:2");
    message
}

/// Returns an `Event` with `wall_time` = 1, `step` = 2, `summary` = 5; a `Summary` has
/// `value` = 1, with `tag` = 1 and `simple_value` = 2.
fn event(seconds: f64, step: u64, scalars: &[(&str, f64)]) -> Vec<u8> {
    let mut summary = Vec::new();
    for (tag, value) in scalars {
        let mut scalar = Vec::new();
        bytes(&mut scalar, 1, tag.as_bytes());
        scalar.push(2 << 3 | 5);
        scalar.extend((*value as f32).to_le_bytes());
        bytes(&mut summary, 1, &scalar);
    }
    let mut message = Vec::new();
    double(&mut message, 1, seconds);
    message.push(2 << 3);
    varint(&mut message, step);
    bytes(&mut message, 5, &summary);
    message
}

fn double(to: &mut Vec<u8>, field: u8, value: f64) {
    to.push(field << 3 | 1);
    to.extend(value.to_le_bytes());
}

fn bytes(to: &mut Vec<u8>, field: u8, value: &[u8]) {
    to.push(field << 3 | 2);
    varint(to, value.len() as u64);
    to.extend(value);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    let mut record = length.to_vec();
    record.extend(masked(&length).to_le_bytes());
    record.extend(message);
    record.extend(masked(message).to_le_bytes());
    record
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Returns the CRC-32C of `bytes` (RFC 3720, appendix B.4), bit by bit: a few hundred bytes a
/// step need no table.
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_standards() {
        // RFC 3720, appendix B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_record_is_what_tensorboard_writes() {
        // `tests/data/tensorboard_file.py` made it with tensorboard's own writer and protocol.
        let expect = include_bytes!("../tests/data/event.tfrecord");
        let found = record(&event(1.5, 300, &[("train/loss", 0.25)]));
        assert_eq!(found, expect);
    }
}
