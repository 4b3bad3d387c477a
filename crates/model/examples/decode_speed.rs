//! How many tokens a second a decoder reads and writes, as one line of JSON.
//!
//! `cargo run --release -p groundtune-model --example decode_speed -- MODEL [THREADS]
//! [PROMPT] [TOKENS] [ROUNDS]`, where the model is a folder or a GGUF file. A prompt is
//! read (`prefill`), then tokens are written one at a time after 8 (`decode`); the best
//! of the rounds counts. `share` is decoding's share of the limit, at which a token takes
//! as long as its weights take to be read: the rate of reading (`read_gb_per_s`) is
//! measured in the same run, over the model's own pages. `cold_ms` is from before the
//! model is opened to its first token's logits; `peak_share` the program's largest
//! memory (after both) over the size of the weights.

#![expect(clippy::print_stdout, reason = "its result")]
#![expect(unsafe_code, reason = "files are mapped, and memory is fetched ahead")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use memmap2::Mmap;
use model::decoder::{Decoder, DecoderOptions, Step, Wanted, Workspace};
use tensor::Team;

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, rest @ ..] = &arguments[..] else {
        return Err("usage: decode_speed MODEL [THREADS] [PROMPT] [TOKENS] [ROUNDS]".into());
    };
    let number = |at: usize, or: usize| rest.get(at).map_or(Ok(or), |it| it.parse());
    let threads = NonZeroUsize::new(number(0, 2)?);
    let (prompt, tokens, rounds) = (number(1, 512)?, number(2, 128)?, number(3, 3)?);
    let path = Path::new(path);

    let decoder = Decoder::open(path, &DecoderOptions { threads })?;
    let mut workspace = Workspace::default();
    let mut cache = decoder.cache(prompt.max(tokens + 8));
    let known = decoder.config().vocabulary as u32;
    let mut read = |text: &[u32], cache: &mut _| {
        let step = Step {
            tokens: text,
            cache,
            adapters: &[],
            wanted: Wanted::Last,
        };
        decoder
            .forward(&mut workspace, &mut [step])
            .map(|logits| logits[0])
    };
    read(&[1], &mut cache)?;
    let cold_ms = started.elapsed().as_secs_f64() * 1e3;

    let text: Vec<u32> = (0..prompt as u32).map(|at| at * 7919 % known).collect();
    let (mut prefill, mut decode) = (0f64, 0f64);
    for _ in 0..rounds {
        cache.truncate(0);
        let start = Instant::now();
        read(&text, &mut cache)?;
        prefill = prefill.max(prompt as f64 / start.elapsed().as_secs_f64());
        cache.truncate(0);
        read(&text[..8.min(prompt)], &mut cache)?;
        let start = Instant::now();
        for at in 0..tokens {
            read(&text[at % prompt..][..1], &mut cache)?;
        }
        decode = decode.max(tokens as f64 / start.elapsed().as_secs_f64());
    }
    let peak = peak_bytes();
    let weights: u64 = files(path)?.iter().map(|(_, bytes)| bytes).sum();
    let bytes_per_s = reading(path, threads.map_or(1, NonZeroUsize::get))?;
    let limit = bytes_per_s / decoder.bytes_per_token() as f64;
    let round = |x: f64, places: i32| (x * 10f64.powi(places)).round() / 10f64.powi(places);
    println!(
        "{}",
        serde_json::json!({
            "model": path.file_name().map(|it| it.to_string_lossy()),
            "weights_mb": weights / 1_000_000,
            "threads": threads,
            "prefill_tokens_per_s": round(prefill, 1),
            "decode_tokens_per_s": round(decode, 1),
            "read_gb_per_s": round(bytes_per_s / 1e9, 1),
            "share": round(decode / limit, 3),
            "cold_ms": round(cold_ms, 1),
            "peak_mb": peak / 1_000_000,
            "peak_share": round(peak as f64 / weights as f64, 3),
        })
    );
    Ok(())
}

/// Returns the weights' files and their sizes.
fn files(path: &Path) -> Result<Vec<(PathBuf, u64)>, Box<dyn Error>> {
    let mut files = Vec::new();
    if path.is_file() {
        files.push((path.to_path_buf(), fs_err::metadata(path)?.len()));
    } else {
        for entry in fs_err::read_dir(path)? {
            let entry = entry?;
            let kind = entry.path().extension().map(ToOwned::to_owned);
            if kind.is_some_and(|it| it == "safetensors" || it == "gguf") {
                files.push((entry.path(), entry.metadata()?.len()));
            }
        }
    }
    Ok(files)
}

/// Returns the most bytes a second at which `threads` read the weights from memory: the
/// very pages that the model reads, by the better of two ways to read them.
fn reading(path: &Path, threads: usize) -> Result<f64, Box<dyn Error>> {
    let mut maps = Vec::new();
    for (file, _) in files(path)? {
        let file = fs_err::File::open(file)?;
        // SAFETY: nobody changes the weights while they are measured.
        maps.push(unsafe { Mmap::map(file.file()) }?);
    }
    let bytes: usize = maps.iter().map(|map| map.len()).sum();
    // Threads that wait for each pass: new ones begin on their parent's processor.
    let team = Team::new(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))?;
    let mut best = 0f64;
    for _ in 0..6 {
        for way in [end_to_end, side_by_side] {
            let start = Instant::now();
            for map in &maps {
                team.run(map.len().div_ceil(PART), &|part, _| {
                    let rest = &map[part * PART..];
                    std::hint::black_box(way(&rest[..rest.len().min(PART)]));
                });
            }
            best = best.max(bytes as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(best)
}

/// Bytes that a thread reads without looking up.
const PART: usize = 1 << 20;
const LINE: usize = 64;
const STREAMS: usize = 4;
/// Bytes of each of the streams that are read side by side.
const STREAM: usize = 18 * LINE;

fn end_to_end(bytes: &[u8]) -> u64 {
    let mut sums = [0; 8];
    for line in bytes.as_chunks::<LINE>().0 {
        add(line, &mut sums);
    }
    sums.into_iter().fold(0, |all, sum| all ^ sum)
}

/// Reads some streams at a time, and fetches the next ones meanwhile.
fn side_by_side(bytes: &[u8]) -> u64 {
    let mut sums = [0; 8];
    for group in bytes.chunks_exact(STREAMS * STREAM) {
        for at in (0..STREAM).step_by(LINE) {
            for stream in 0..STREAMS {
                let line = &group[stream * STREAM + at..][..LINE];
                #[cfg(target_arch = "x86_64")]
                // SAFETY: what is fetched ahead may lie anywhere.
                unsafe {
                    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
                    let next = line.as_ptr().wrapping_add(STREAMS * STREAM);
                    _mm_prefetch::<_MM_HINT_T0>(next.cast());
                }
                add(line, &mut sums);
            }
        }
    }
    sums.into_iter().fold(0, |all, sum| all ^ sum)
}

#[inline(always)]
fn add(line: &[u8], sums: &mut [u64; 8]) {
    for (sum, eight) in sums.iter_mut().zip(line.as_chunks().0) {
        *sum ^= u64::from_ne_bytes(*eight);
    }
}

/// Returns the largest memory this program had so far.
fn peak_bytes() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
