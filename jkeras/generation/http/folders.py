"""What a folder of transformers says of the lengths and the ends of texts, and of chats."""

import json
import pathlib
from typing import Any

from jkeras.core.errors import explain

LONGEST = 2**26  # bytes of a file that is read


def ends_of(folder: pathlib.Path) -> list[int]:
    """The tokens that end texts: those of `generation_config.json`, else of `config.json`.

    Raises:
        ValueError: they are no tokens.
    """
    for name in ("generation_config.json", "config.json"):
        ends = _read(folder / name).get("eos_token_id")
        if ends is not None:
            ends = ends if isinstance(ends, list) else [ends]
            if not all(type(end) is int and end >= 0 for end in ends):
                raise ValueError(explain(f"{folder / name}", "tokens", f"eos_token_id: {ends!r}"))
            return ends
    return []


def positions_of(folder: pathlib.Path) -> int | None:
    """How many positions the model was made for; None: the folder does not say."""
    config = _read(folder / "config.json")
    for name in ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"):
        if type(config.get(name)) is int:
            return config[name]
    return None


def has_template(folder: pathlib.Path) -> bool:
    """Whether there is a template of chats."""
    if (folder / "chat_template.jinja").is_file():
        return True
    return _read(folder / "tokenizer_config.json").get("chat_template") is not None


def _read(path: pathlib.Path) -> dict[str, Any]:
    """A file of JSON; empty where there is none."""
    if not path.is_file():
        return {}
    if path.stat().st_size > LONGEST:
        raise ValueError(explain(f"{path}", f"at most {LONGEST} bytes", f"{path.stat().st_size}"))
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(explain(f"{path}", "JSON", f"{error}")) from error
    if not isinstance(value, dict):
        raise ValueError(explain(f"{path}", "an object of JSON", type(value).__name__))
    return value
