"""Writes all words of a BEIR folder's questions, stemmed, for `tantivy_bench`.

    pip install PyStemmer; python question_words.py OUT/queries.jsonl ALL/questions.txt
"""

import json
import re
import sys

import Stemmer

stemmer = Stemmer.Stemmer("english")
with open(sys.argv[2], "w", encoding="utf-8") as out:
    for line in open(sys.argv[1], encoding="utf-8"):
        words = re.findall(r"[a-z0-9]+", json.loads(line)["text"].lower())
        out.write(" ".join(sorted(set(stemmer.stemWords(words)))) + "\n")
