"""Answers as OpenAI's interface has them: whole, or in pieces."""

import json
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from jkeras.generation.http.call import Call
from jkeras.generation.serving.progress import TokenLogs
from jkeras.generation.texts import UNFINISHED

LEAST = -9999.0  # stands for a logarithm of 0, which JSON does not have
DONE = b"data: [DONE]\n\n"


def event(value: Any) -> bytes:
    """An event that a server sends."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def usage(prompt: int, new: int) -> dict[str, int]:
    """How many tokens were used."""
    return {"prompt_tokens": prompt, "completion_tokens": new, "total_tokens": prompt + new}


class Answers:
    """The answers to one call.

    Args:
        call: what is asked for.
        model: its name.
        decode: `tokens -> text`.
    """

    def __init__(self, call: Call, model: str, decode: Callable[[Sequence[int]], str]) -> None:
        self.call, self.model, self.decode = call, model, decode
        prefix, self._kind = "cmpl", "text_completion"
        if call.is_chat:
            prefix, self._kind = "chatcmpl", "chat.completion"
        self.id = f"{prefix}-{uuid.uuid4().hex}"
        self.created = int(time.time())
        self._offsets: dict[int, int] = {}  # by text: where its next token begins

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def whole(self, choices: list[dict[str, Any]], used: dict[str, int]) -> dict[str, Any]:
        """All texts."""
        return {**self._head(self._kind), "choices": choices, "usage": used}

    def choice(
        self, index: int, text: str, tokens: Sequence[int], logs: Sequence[TokenLogs], reason: str
    ) -> dict[str, Any]:
        """One text."""
        found = {"index": index, "finish_reason": reason, "logprobs": None}
        if self.call.logprobs is not None:
            found["logprobs"] = self.logprobs(index, tokens, logs)
        if self.call.is_chat:
            return {**found, "message": {"role": "assistant", "content": text}}
        return {**found, "text": text}

    # ------------------------------------------------------------ pieces

    def chunk(self, choices: list[dict[str, Any]], used: dict[str, int] | None = None) -> bytes:
        """A piece."""
        kind = self._kind
        if self.call.is_chat:
            kind += ".chunk"
        value = {**self._head(kind), "choices": choices}
        if self.call.has_usage:
            value["usage"] = used
        return event(value)

    def first(self, index: int) -> dict[str, Any]:
        """What a message begins with."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def piece(
        self,
        index: int,
        text: str,
        tokens: Sequence[int],
        logs: Sequence[TokenLogs],
        reason: str | None,
    ) -> dict[str, Any]:
        """More of a text, or its end."""
        found: dict[str, Any] = {"index": index, "logprobs": None, "finish_reason": reason}
        if self.call.logprobs is not None and tokens:
            found["logprobs"] = self.logprobs(index, tokens, logs)
        if not self.call.is_chat:
            return {**found, "text": text}
        delta = {"content": text} if text else {}
        return {**found, "delta": delta}

    # ------------------------------------------------------------ probabilities

    def logprobs(
        self, index: int, tokens: Sequence[int], logs: Sequence[TokenLogs]
    ) -> dict[str, Any]:
        """The logarithms of the probabilities of new tokens."""
        shown = [self.decode([token]) for token in tokens]
        chosen = [_number(log.chosen) for log in logs]
        likeliest = [self._likeliest(log) for log in logs]
        if self.call.is_chat:
            each = zip(shown, chosen, likeliest)
            content = [{**_entry(*one[:2]), "top_logprobs": _entries(one[2])} for one in each]
            return {"content": content, "refusal": None}
        offsets, at = [], self._offsets.get(index, 0)
        for text in shown:
            offsets.append(at)
            at += len(text)
        self._offsets[index] = at
        top = [_by_text(pairs) for pairs in likeliest] if self.call.logprobs else None
        return {
            "tokens": shown,
            "token_logprobs": chosen,
            "top_logprobs": top,
            "text_offset": offsets,
        }

    def _likeliest(self, log: TokenLogs) -> list[tuple[str, float]]:
        count = self.call.logprobs
        pairs = zip(log.tokens[:count].tolist(), log.likeliest[:count].tolist())
        return [(self.decode([token]), _number(value)) for token, value in pairs]


def _number(value: float) -> float:
    return max(float(value), LEAST)


def _entry(text: str, value: float) -> dict[str, Any]:
    """A token of a chat."""
    content = None if UNFINISHED in text else list(text.encode())
    return {"token": text, "logprob": value, "bytes": content}


def _entries(pairs: list[tuple[str, float]]) -> list[dict[str, Any]]:
    return [_entry(*pair) for pair in pairs]


def _by_text(pairs: list[tuple[str, float]]) -> dict[str, float]:
    """By text, of which the likeliest token with it counts."""
    return dict(reversed(pairs))
