"""Loads and cuts the text files below a folder with LangChain, and prints MB/s.

The peer's side of `cargo run --release -p groundtune-corpus --example read_folder`:
the same files (Markdown, reStructuredText, text, source code), each read and cut
by the splitter that LangChain recommends for its format, at about the same size
of chunk (220 words are about 1,300 characters).

    python -m venv loaders
    loaders/bin/pip install langchain-text-splitters langchain-community
    loaders/bin/python ingest_peer.py FOLDER [ROUNDS]
"""

import sys
import time
from pathlib import Path

from langchain_community.document_loaders import TextLoader
from langchain_text_splitters import (
    Language,
    MarkdownHeaderTextSplitter,
    RecursiveCharacterTextSplitter,
)

CHARACTERS = 1300
LANGUAGES = {".rs": Language.RUST, ".py": Language.PYTHON, ".rst": Language.RST}
HEADERS = [("#" * level, f"h{level}") for level in range(1, 7)]


def cut(path: Path) -> int:
    documents = TextLoader(str(path), encoding="utf-8").load()
    if path.suffix == ".md":
        splitter = MarkdownHeaderTextSplitter(HEADERS, strip_headers=False)
        documents = splitter.split_text(documents[0].page_content)
        splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0)
    elif path.suffix in LANGUAGES:
        splitter = RecursiveCharacterTextSplitter.from_language(
            LANGUAGES[path.suffix], chunk_size=CHARACTERS, chunk_overlap=0
        )
    else:
        splitter = RecursiveCharacterTextSplitter(chunk_size=CHARACTERS, chunk_overlap=0)
    return len(splitter.split_documents(documents))


def main() -> None:
    folder = Path(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    files = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix in {".md", ".txt", *LANGUAGES} and path.stat().st_size > 0
    )
    size = sum(path.stat().st_size for path in files)
    for _ in range(rounds):
        begin = time.perf_counter()
        chunks = sum(cut(path) for path in files)
        seconds = time.perf_counter() - begin
        print(
            f"{len(files)} files, {size / 1e6:.1f} MB, {chunks} chunks: "
            f"{seconds:.2f} s, {size / 1e6 / seconds:.1f} MB/s"
        )


if __name__ == "__main__":
    main()
