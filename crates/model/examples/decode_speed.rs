//! How many tokens a second a decoder reads and writes, as one line of JSON.
//!
//! `cargo run --release -p groundtune-model --example decode_speed -- MODEL [THREADS]
//! [PROMPT] [TOKENS] [ROUNDS] [f32|high|bf16]`, where the model is a folder or a GGUF file. A prompt is
//! read (`prefill`), then tokens are written one at a time after 8 (`decode`); the best
//! of the rounds counts. `share` is decoding's share of the limit, at which a token takes
//! as long as its weights take to be read: the rate of reading (`read_gb_per_s`) is
//! measured in turn with it, over the model's own pages, by threads that do nothing else. `cold_ms` is from before the
//! model is opened to its first token's logits; `peak_share` the program's largest
//! memory (after a round of both) over the size of the weights.

#![expect(clippy::print_stdout, reason = "its result")]
#![expect(unsafe_code, reason = "files are mapped, and memory is fetched ahead")]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use memmap2::Mmap;
use model::decoder::{Decoder, DecoderOptions, Precision, Step, Wanted, Workspace};
use tensor::Team;

fn main() -> Result<(), Box<dyn Error>> {
    let started = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, rest @ ..] = &arguments[..] else {
        return Err(
            "usage: decode_speed MODEL [THREADS] [PROMPT] [TOKENS] [ROUNDS] [f32|high|bf16]".into(),
        );
    };
    let number = |at: usize, or: usize| rest.get(at).map_or(Ok(or), |it| it.parse());
    let threads = NonZeroUsize::new(number(0, 2)?);
    let (prompt, tokens, rounds) = (number(1, 512)?, number(2, 128)?, number(3, 3)?);
    let path = Path::new(path);
    let precision = match rest.get(4).map(String::as_str) {
        None | Some("high") => Precision::High,
        Some("f32") => Precision::F32,
        Some("bf16") => Precision::Bf16,
        Some(other) => return Err(format!("`{other}` is not `f32`, `high` or `bf16`").into()),
    };

    let decoder = Decoder::open(path, &DecoderOptions { threads, precision })?;
    let mut workspace = Workspace::default();
    let mut cache = decoder.cache(prompt.max(tokens + 8));
    let known = decoder.config().vocabulary as u32;
    let mut step = |text: &[u32], cache: &mut _| {
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
    step(&[1], &mut cache)?;
    let cold_ms = started.elapsed().as_secs_f64() * 1e3;

    let text: Vec<u32> = (0..prompt as u32).map(|at| at * 7919 % known).collect();
    let (mut prefill, mut decode, mut bytes_per_s) = (0f64, 0f64, 0f64);
    let mut peak = 0;
    let reader = Reader::new(path, threads.map_or(1, NonZeroUsize::get))?;
    for round in 0..rounds {
        cache.truncate(0);
        let start = Instant::now();
        step(&text, &mut cache)?;
        prefill = prefill.max(prompt as f64 / start.elapsed().as_secs_f64());
        cache.truncate(0);
        step(&text[..8.min(prompt)], &mut cache)?;
        let start = Instant::now();
        for at in 0..tokens {
            step(&text[at % prompt..][..1], &mut cache)?;
        }
        decode = decode.max(tokens as f64 / start.elapsed().as_secs_f64());
        // The reader's own maps would count.
        if round == 0 {
            peak = peak_bytes();
        }
        bytes_per_s = bytes_per_s.max(reader.best());
    }
    let weights: u64 = files(path)?.iter().map(|(_, bytes)| bytes).sum();
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

/// The weights' own pages, read and nothing else: what decoding is measured by.
struct Reader {
    maps: Vec<Mmap>,
    team: Team,
}

impl Reader {
    fn new(path: &Path, threads: usize) -> Result<Self, Box<dyn Error>> {
        let mut maps = Vec::new();
        for (file, _) in files(path)? {
            let file = fs_err::File::open(file)?;
            // SAFETY: nobody changes the weights while they are measured.
            maps.push(unsafe { Mmap::map(file.file()) }?);
        }
        // Threads that wait for each pass: new ones begin on their parent's processor.
        let team = Team::new(NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN))?;
        Ok(Self { maps, team })
    }

    /// Returns the bytes a second of one pass, each thread reading so many streams side by
    /// side and fetching them so many bytes ahead.
    fn pass(&self, streams: usize, ahead: usize) -> f64 {
        let start = Instant::now();
        let mut bytes = 0;
        for map in &self.maps {
            bytes += map.len();
            self.team.run(map.len().div_ceil(PART), &|part, _| {
                let rest = &map[part * PART..];
                std::hint::black_box(read(&rest[..rest.len().min(PART)], streams, ahead));
            });
        }
        bytes as f64 / start.elapsed().as_secs_f64()
    }

    /// Returns the best of the ways there are to read.
    fn best(&self) -> f64 {
        let ways = [(1, 0), (1, 2048), (1, 4096), (4, 2048), (4, 4096)];
        ways.iter().fold(0.0, |best, (streams, ahead)| {
            self.pass(*streams, *ahead).max(best)
        })
    }
}

/// Bytes that a thread reads without looking up.
const PART: usize = 1 << 20;
const LINE: usize = 64;

/// Reads `bytes`, by vectors where the processor has them.
fn read(bytes: &[u8], streams: usize, ahead: usize) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor was asked.
        return unsafe { read_lines(bytes, streams, ahead) };
    }
    let _fetched = (streams, ahead);
    let mut sums = [0; 8];
    for line in bytes.as_chunks::<LINE>().0 {
        for (sum, eight) in sums.iter_mut().zip(line.as_chunks().0) {
            *sum ^= u64::from_ne_bytes(*eight);
        }
    }
    sums.into_iter().fold(0, |all, sum| all ^ sum)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn read_lines(bytes: &[u8], streams: usize, ahead: usize) -> u64 {
    use std::arch::x86_64::*;
    let each = bytes.len() / streams / (4 * LINE) * 4 * LINE;
    let mut sums = [_mm512_setzero_si512(); 4];
    for at in (0..each).step_by(4 * LINE) {
        for stream in 0..streams {
            // SAFETY: four lines of every stream are there; what is fetched ahead may lie
            // anywhere.
            unsafe {
                let at = bytes.as_ptr().add(stream * each + at);
                for (line, sum) in sums.iter_mut().enumerate() {
                    let at = at.add(line * LINE);
                    if ahead > 0 {
                        _mm_prefetch::<_MM_HINT_T0>(at.wrapping_add(ahead).cast());
                    }
                    *sum = _mm512_xor_si512(*sum, _mm512_loadu_si512(at.cast()));
                }
            }
        }
    }
    let [a, b, c, d] = sums;
    let all = _mm512_xor_si512(_mm512_xor_si512(a, b), _mm512_xor_si512(c, d));
    _mm512_reduce_or_epi64(all) as u64
}

/// Returns the largest memory this program had so far.
fn peak_bytes() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|it| it.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
