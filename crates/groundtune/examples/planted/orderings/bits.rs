//! O6: weights in 4 bits, by the sixteen values that each block of 64 is rounded to (Dettmers et al.
//! 2023, §3 and table 2). Tried with the built-in model on pieces of this project's pages.

use std::error::Error;
use std::path::Path;

use model::generator::{Generator, GeneratorOptions};
use model::tokenizer::Special;
use model::training::{IGNORE, NF4};
use serde_json::{Map, Value as Json};

use super::super::random::Random;
use super::lab::{Figures, Lab};

/// Numbers that share a scale, and scales that share one of their own.
const BLOCK: usize = 64;
const GROUP: usize = 256;
/// Pieces of text that are read, and their bytes.
const PIECES: usize = 4;
const PIECE: usize = 2500;

/// Two bits of exponent and one of mantissa; the largest is 6.
const E2M1: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
/// Three bits of exponent; the largest is 16.
const E3M0: [f32; 8] = [0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];
/// Whole numbers, as many to either side.
const INT4: [f32; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];

pub(super) fn bits(lab: &Lab) -> Result<Figures, Box<dyn Error>> {
    let base = lab.folder.join("base");
    model::built_in::unpack(&base)?;
    let texts = texts(lab)?;
    let open = |folder: &Path| Generator::open(folder, &GeneratorOptions::default());
    let whole = loss(&open(&base)?, &texts)?;
    let mut figures = Figures::from([("O6 nats a token, 16 bits", whole)]);
    for (figure, values, twice) in [
        ("O6 more nats a token, Int4", both_ways(INT4), false),
        ("O6 more nats a token, FP4 (E2M1)", both_ways(E2M1), false),
        ("O6 more nats a token, FP4 (E3M0)", both_ways(E3M0), false),
        ("O6 more nats a token, NF4", NF4.to_vec(), false),
        ("O6 more nats a token, NF4 and DQ", NF4.to_vec(), true),
    ] {
        let folder = lab.folder.join("rounded");
        write_rounded(&base, &folder, &values, twice)?;
        figures.insert(figure, loss(&open(&folder)?, &texts)? - whole);
    }
    Ok(figures)
}

fn both_ways(values: [f32; 8]) -> Vec<f32> {
    let largest = values[7];
    let ways = values.iter().flat_map(|it| [-it / largest, it / largest]);
    ways.collect()
}

/// Draws pieces of the pages in `docs`.
pub(super) fn texts(lab: &Lab) -> Result<Vec<String>, Box<dyn Error>> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut pages = Vec::new();
    for entry in fs_err::read_dir(docs)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "md") {
            pages.push(path);
        }
    }
    pages.sort();
    let mut random: Random = lab.random(8);
    let mut piece = || -> Result<String, Box<dyn Error>> {
        let page = fs_err::read_to_string(random.pick(&pages))?;
        let start = random.below(page.len().saturating_sub(PIECE).max(1));
        let rest = &page.as_bytes()[start..page.len().min(start + PIECE)];
        Ok(String::from_utf8_lossy(rest).into_owned())
    };
    (0..PIECES).map(|_| piece()).collect()
}

/// Returns the mean loss of a token of `texts`.
pub(super) fn loss(generator: &Generator, texts: &[String]) -> Result<f64, Box<dyn Error>> {
    let (mut sum, mut tokens) = (0.0, 0);
    for text in texts {
        let ids = generator.tokenizer().encode(text, Special::Ignore)?;
        let mut targets = ids.get(1..).unwrap_or_default().to_vec();
        targets.push(IGNORE);
        let loss = generator.loss(&ids, &targets)?;
        sum += loss.sum;
        tokens += loss.tokens;
    }
    Ok(sum / tokens as f64)
}

/// Writes the model in `from` into `to`, with the weights of its linear layers rounded.
fn write_rounded(
    from: &Path,
    to: &Path,
    values: &[f32],
    twice: bool,
) -> Result<(), Box<dyn Error>> {
    fs_err::create_dir_all(to)?;
    for name in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs_err::copy(from.join(name), to.join(name))?;
    }
    let bytes = fs_err::read(from.join("model.safetensors"))?;
    let (length, rest) = bytes
        .split_first_chunk::<8>()
        .ok_or("the file is cut short")?;
    let (header, numbers) = rest
        .split_at_checked(u64::from_le_bytes(*length) as usize)
        .ok_or("the file is cut short")?;
    let header: Map<String, Json> = serde_json::from_slice(header)?;
    let mut written = Map::new();
    let mut widened: Vec<u8> = Vec::new();
    for (name, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let place = |at: usize| tensor["data_offsets"][at].as_u64().unwrap_or(0) as usize;
        let halves = numbers
            .get(place(0)..place(1))
            .filter(|_| tensor["dtype"] == "BF16")
            .ok_or("a tensor is not in the file, or not in bfloat16")?;
        let halves = halves.as_chunks::<2>().0.iter();
        let mut all: Vec<f32> = halves
            .map(|it| f32::from_bits(u32::from(u16::from_le_bytes(*it)) << 16))
            .collect();
        if name.contains("_proj.") {
            round(&mut all, values, twice);
        }
        let start = widened.len();
        widened.extend(all.iter().flat_map(|it| it.to_le_bytes()));
        written.insert(
            name.clone(),
            serde_json::json!({
                "dtype": "F32", "shape": tensor["shape"], "data_offsets": [start, widened.len()],
            }),
        );
    }
    let mut head = Json::Object(written).to_string().into_bytes();
    head.resize(head.len().next_multiple_of(8), b' ');
    let mut file = (head.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(&head);
    file.extend_from_slice(&widened);
    fs_err::write(to.join("model.safetensors"), &file)?;
    Ok(())
}

/// Rounds each block to `values`, times its largest number; that scale too, if `twice`, to 8 bits.
fn round(weights: &mut [f32], values: &[f32], twice: bool) {
    let largest = |block: &[f32]| block.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
    let mut scales: Vec<f32> = weights.chunks(BLOCK).map(largest).collect();
    if twice {
        let mean = scales.iter().sum::<f32>() / scales.len().max(1) as f32;
        for group in scales.chunks_mut(GROUP) {
            let far = group
                .iter()
                .fold(0.0_f32, |most, it| most.max((it - mean).abs()));
            let step = far.max(f32::MIN_POSITIVE) / 127.0;
            for scale in group {
                *scale = mean + step * ((*scale - mean) / step).round();
            }
        }
    }
    for (block, scale) in weights.chunks_mut(BLOCK).zip(scales) {
        for weight in block {
            let exact = *weight;
            let far = |value: &&f32| (exact - scale * **value).abs();
            let nearest = values.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
            *weight = scale * nearest.copied().unwrap_or(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_rounded_to_the_nearest_of_the_values() {
        let mut weights = vec![7.0, 3.4, -3.6, 0.2];
        round(&mut weights, &both_ways(INT4), false);
        assert_eq!(weights, [7.0, 3.0, -4.0, 0.0]);
        let mut weights = vec![12.0, 7.1, 6.9, -0.4];
        round(&mut weights, &both_ways(E2M1), false);
        assert_eq!(weights, [12.0, 8.0, 6.0, 0.0]);
    }
}
