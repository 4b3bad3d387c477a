//! Jupyter notebooks: Markdown cells as written, code and its printed output as
//! fenced blocks.

use serde_json::Value as Json;

use crate::ReadError;
use crate::encoding::decode;
use crate::format::markdown;
use crate::outline::Outline;
use crate::read::{Draft, Drafts, Source};

/// The most of one output that is taken, in bytes; a log of training can be endless.
const OUTPUT_BYTES: usize = 16 * 1024;

/// Reads a notebook.
pub(crate) fn read(mut source: Source<'_>) -> Result<Drafts, ReadError> {
    let decoded = decode(std::mem::take(&mut source.bytes), source.file)?;
    let notebook: Json =
        serde_json::from_str(&decoded.text).map_err(|error| source.damaged("notebook", error))?;
    let cells = match (&notebook["cells"], &notebook["worksheets"][0]["cells"]) {
        (Json::Array(cells), _) | (_, Json::Array(cells)) => cells,
        _ => return Err(source.damaged("notebook", "it has no list `cells`")),
    };
    let language = notebook["metadata"]["kernelspec"]["language"]
        .as_str()
        .or(notebook["metadata"]["language_info"]["name"].as_str())
        .unwrap_or("");
    let mut outline = Outline::default();
    for cell in cells {
        let text = joined(match &cell["source"] {
            Json::Null => &cell["input"],
            source => source,
        });
        match cell["cell_type"].as_str() {
            Some("code") => {
                push_fenced(&mut outline, language, &text);
                for output in cell["outputs"].as_array().into_iter().flatten() {
                    push_fenced(&mut outline, "", &output_text(output));
                }
            }
            Some("heading") => {
                let level = cell["level"].as_u64().unwrap_or(1).clamp(1, 6) as usize;
                outline.heading(level, &text);
            }
            _ => {
                outline.blank_line();
                let from = outline.text.len();
                outline.paragraph(&text);
                let marks = markdown::headings(&outline.text, from);
                outline.marks.extend(marks);
            }
        }
    }
    let mut draft = Draft {
        title: notebook["metadata"]["title"]
            .as_str()
            .map(str::to_owned)
            .or_else(|| markdown::title(&outline.marks)),
        text: outline.text,
        marks: outline.marks,
        ..Draft::default()
    };
    draft.note("language", language);
    Ok(draft.into())
}

/// Returns a text that is written whole or as a list of its lines.
fn joined(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(lines) => lines.iter().filter_map(Json::as_str).collect(),
        _ => String::new(),
    }
}

/// Returns what an output prints; pictures print nothing.
fn output_text(output: &Json) -> String {
    let text = match output["output_type"].as_str() {
        Some("stream") => joined(&output["text"]),
        Some("error" | "pyerr") => format!(
            "{}: {}",
            output["ename"].as_str().unwrap_or("error"),
            output["evalue"].as_str().unwrap_or("")
        ),
        _ => match &output["data"]["text/plain"] {
            Json::Null => joined(&output["text"]),
            plain => joined(plain),
        },
    };
    if text.len() <= OUTPUT_BYTES {
        return text;
    }
    format!("{}…", &text[..text.floor_char_boundary(OUTPUT_BYTES)])
}

fn push_fenced(outline: &mut Outline, language: &str, text: &str) {
    let text = text.trim_matches('\n');
    if text.trim().is_empty() {
        return;
    }
    let mut fence = "```".to_owned();
    while text.contains(&fence) {
        fence.push('`');
    }
    outline.blank_line();
    outline
        .text
        .push_str(&format!("{fence}{language}\n{text}\n{fence}\n"));
}

#[cfg(test)]
mod tests {
    use crate::{ReadOptions, read_bytes};

    #[test]
    fn cells_become_text_code_and_output() {
        let text = r##"{"cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "Words."]},
            {"cell_type": "code", "source": "print(1)", "outputs": [
                {"output_type": "stream", "text": ["1\n"]},
                {"output_type": "display_data", "data": {"image/png": "AAAA"}}]}
        ], "metadata": {"kernelspec": {"language": "python"}}, "nbformat": 4}"##;
        let reading = read_bytes(text.as_bytes(), "a.ipynb", "a", &ReadOptions::default()).unwrap();
        let document = &reading.documents[0];
        assert_eq!(
            document.text,
            "# Title\nWords.\n\n```python\nprint(1)\n```\n\n```\n1\n```\n"
        );
        assert_eq!(document.title.as_deref(), Some("Title"));
        assert_eq!(document.sections[0].headings, ["Title"]);
    }
}
