"""Renders chat templates with transformers 5.23 and writes what came out.

    python make_chat.py FOLDER OUT.json

FOLDER holds templates (`*.jinja`); OUT.json gets, for each template and conversation,
the text, or nothing where transformers itself cannot render it. The templates of
`tests/data/chat` are in the repository; others are compared by the ignored test.
"""

import datetime
import json
import pathlib
import sys

from transformers.utils import chat_template_utils

NOW = 1795222800  # 2026-11-21 01:00:00 UTC


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime.fromtimestamp(NOW, datetime.timezone.utc)


chat_template_utils.datetime = Clock

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Says what the weather is like in a town, \"now\" & soon.",
        "parameters": {
            "type": "object",
            "properties": {
                "town": {"type": "string", "description": "The town's name, e.g. Zürich"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"], "default": "celsius"},
                "days": {"type": "integer", "description": "How many days", "minimum": 1},
                "where": {"type": "array", "items": {"type": "number"}},
            },
            "required": ["town"],
        },
        "return": {"type": "string", "description": "The weather"},
    },
}
TIME = {
    "type": "function",
    "function": {
        "name": "get_time",
        "description": "Says what time it is.",
        "parameters": {"type": "object", "properties": {}},
    },
}
USER = {"role": "user", "content": "What is the capital of France?"}
REPLY = {"role": "assistant", "content": "Paris."}
SYSTEM = {"role": "system", "content": "You answer briefly.\nIn English, <always> & \"politely\"."}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [
        {
            "id": "call12345",
            "type": "function",
            "function": {"name": "get_weather", "arguments": {"town": "Zürich", "days": 2, "where": [1.0, 2.5]}},
        }
    ],
}
RESULT = {"role": "tool", "tool_call_id": "call12345", "name": "get_weather", "content": "{\"sky\": \"grey\"}"}

CONVERSATIONS = {
    "one question": dict(messages=[USER], add_generation_prompt=True),
    "system": dict(messages=[SYSTEM, USER], add_generation_prompt=True),
    "answered": dict(messages=[SYSTEM, USER, REPLY], add_generation_prompt=False),
    "several turns": dict(
        messages=[USER, REPLY, {"role": "user", "content": "  And of Italy?\n"}, {"role": "assistant", "content": " Rome.\n\n"}, {"role": "user", "content": "Danke! 🚀"}],
        add_generation_prompt=True,
    ),
    "several turns with system": dict(
        messages=[SYSTEM, USER, REPLY, {"role": "user", "content": "And of Italy?"}],
        add_generation_prompt=True,
    ),
    "thinking": dict(
        messages=[USER, {"role": "assistant", "content": "<think>\nFrance? Paris.\n</think>\n\nParis."}, USER],
        add_generation_prompt=True,
    ),
    "reasoning": dict(
        messages=[USER, {"role": "assistant", "reasoning_content": "France? Paris.", "content": "Paris."}, USER],
        add_generation_prompt=True,
    ),
    "not thinking": dict(messages=[SYSTEM, USER], add_generation_prompt=True, enable_thinking=False),
    "parts": dict(
        messages=[{"role": "user", "content": [{"type": "text", "text": "Who are you?"}, {"type": "text", "text": " Say."}]}],
        add_generation_prompt=True,
    ),
    "tools": dict(messages=[SYSTEM, USER], tools=[WEATHER, TIME], add_generation_prompt=True),
    "a call": dict(messages=[USER, CALL, RESULT], tools=[WEATHER], add_generation_prompt=True),
    "a call told of": dict(
        messages=[SYSTEM, USER, CALL, RESULT, {"role": "assistant", "content": "It is grey."}, {"role": "user", "content": "Thanks."}],
        tools=[WEATHER, TIME],
        add_generation_prompt=True,
    ),
    "two calls": dict(
        messages=[
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL["tool_calls"][0], {"id": "call67890", "type": "function", "function": {"name": "get_time", "arguments": {}}}]},
            RESULT,
            {"role": "tool", "tool_call_id": "call67890", "name": "get_time", "content": "12:00"},
        ],
        tools=[WEATHER, TIME],
        add_generation_prompt=True,
    ),
    "arguments as text": dict(
        messages=[USER, {"role": "assistant", "content": "", "tool_calls": [{"id": "call12345", "type": "function", "function": {"name": "get_weather", "arguments": "{\"town\": \"Z\"}"}}]}, RESULT],
        tools=[WEATHER],
        add_generation_prompt=True,
    ),
    "nothing": dict(messages=[], add_generation_prompt=True),
    "two users": dict(messages=[USER, USER], add_generation_prompt=True),
    "developer": dict(messages=[{"role": "developer", "content": "Be brief."}, USER], add_generation_prompt=False),
}
NAMES = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

folder, out = sys.argv[1:]
expected = {}
for path in sorted(pathlib.Path(folder).glob("*.jinja")):
    texts = {}
    for name, conversation in CONVERSATIONS.items():
        arguments = dict(conversation)
        messages = arguments.pop("messages")
        try:
            (text,), _ = chat_template_utils.render_jinja_template(
                conversations=[messages], chat_template=path.read_text(), **NAMES, **arguments
            )
            texts[name] = text
        except Exception as error:
            texts[name] = None
            print(f"{path.name}, {name}: {type(error).__name__}: {error}"[:160], file=sys.stderr)
    expected[path.name] = texts
result = {"names": NAMES, "now": NOW, "conversations": CONVERSATIONS, "expected": expected}
pathlib.Path(out).write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
