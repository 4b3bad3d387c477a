//! Writes a model's weights in bfloat16, half as large: what is built into the program.

use std::error::Error;
use std::path::Path;

use serde_json::{Map, Value as Json};

/// Writes the model in `from` into the folder `to`.
pub(crate) fn keep(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    fs_err::create_dir_all(to)?;
    for name in ["tokenizer.json", "tokenizer_config.json", "config.json"] {
        let json: Json = serde_json::from_slice(&fs_err::read(from.join(name))?)?;
        // Without the spaces that people would like to have.
        let text = if name == "tokenizer.json" {
            json.to_string()
        } else {
            format!("{json:#}\n")
        };
        fs_err::write(to.join(name), text.replace("\"float32\"", "\"bfloat16\""))?;
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
    let mut halves: Vec<u8> = Vec::new();
    for (name, tensor) in header {
        if name == "__metadata__" {
            continue;
        }
        if tensor["dtype"] != "F32" {
            return Err(format!("`{name}` is {}, expected F32", tensor["dtype"]).into());
        }
        let place = |at: usize| tensor["data_offsets"][at].as_u64().unwrap_or(0) as usize;
        let start = halves.len();
        let values = numbers
            .get(place(0)..place(1))
            .ok_or("a tensor is not in the file")?;
        for value in values.chunks_exact(4) {
            let bits = u32::from_le_bytes(value.try_into()?);
            // To the nearest, of two the even one.
            let rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
            halves.extend_from_slice(&(rounded as u16).to_le_bytes());
        }
        written.insert(
            name,
            serde_json::json!({
                "dtype": "BF16", "shape": tensor["shape"], "data_offsets": [start, halves.len()],
            }),
        );
    }
    let mut head = Json::Object(written).to_string().into_bytes();
    head.resize(head.len().next_multiple_of(8), b' ');
    let mut file = (head.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(&head);
    file.extend_from_slice(&halves);
    fs_err::write(to.join("model.safetensors"), &file)?;
    println!("{} numbers, {} bytes", halves.len() / 2, file.len());
    Ok(())
}
