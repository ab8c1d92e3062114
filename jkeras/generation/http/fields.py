"""Fields of a call: each is known and checked, or refused by its name."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from jkeras.core.errors import readable
from jkeras.generation.http.errors import ApiError

MOST_STOPS = 4
MOST_BIASES = 300
MOST_TEXTS = 128  # of one call


class Number(NamedTuple):
    """Numbers that a field may have."""

    least: float
    most: float
    is_whole: bool = False

    def check(self, name: str, value: Any) -> None:
        """Raises ApiError for another value."""
        kinds = int if self.is_whole else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        if not is_number or not self.least <= value <= self.most:
            kind = "a whole number" if self.is_whole else "a number"
            expected = f"{kind} from {self.least:g} to {self.most:g}"
            raise wrong(name, expected, value)


LARGEST = 2**31 - 1
NUMBERS = {
    "max_tokens": Number(1, LARGEST, is_whole=True),
    "max_completion_tokens": Number(1, LARGEST, is_whole=True),
    "temperature": Number(0, 2),
    "top_p": Number(math.ulp(0.0), 1),
    "n": Number(1, MOST_TEXTS, is_whole=True),
    "seed": Number(-(2**63), 2**63 - 1, is_whole=True),
    "presence_penalty": Number(-2, 2),
    "frequency_penalty": Number(-2, 2),
}
COMMON = (
    "model",
    "temperature",
    "top_p",
    "n",
    "stop",
    "seed",
    "logprobs",
    "stream",
    "stream_options",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "max_tokens",
    "user",  # who asks: it changes no text
)
COMPLETION = (*COMMON, "prompt")
CHAT = (*COMMON, "messages", "max_completion_tokens", "top_logprobs")
ASKS_FOR_NOTHING: dict[str, tuple] = {  # values of other fields that change no text
    "best_of": (1,),
    "echo": (False,),
    "suffix": ("",),
    "tools": ([],),
    "tool_choice": ("none",),
    "functions": ([],),
    "function_call": ("none",),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
    "parallel_tool_calls": (True, False),
    "store": (False,),
    "service_tier": ("auto", "default"),
    "metadata": ({},),
}


def wrong(name: str, expected: str, value: Any) -> ApiError:
    """The error for a value of a field."""
    shown = readable(json.dumps(value), 60)
    return ApiError(f"`{name}`: expected {expected}, received {shown}.", name, code="invalid_value")


def parsed(content: bytes) -> dict[str, Any]:
    """The fields of a body; those that are null are left out.

    Raises:
        ApiError: it is no object of JSON, or has a field twice.

    >>> parsed(b'{"a": 1, "b": null}')
    {'a': 1}
    """
    try:
        options = {"object_pairs_hook": _unique, "parse_constant": _no_constant}
        fields = json.loads(content.decode("utf-8"), **options)
        json.dumps(fields, ensure_ascii=False).encode("utf-8")  # halves of letters are none
    except (ValueError, RecursionError) as error:
        words = readable(f"{error}", 120)
        raise ApiError(f"The body is no JSON in UTF-8: {words}.", code="invalid_json") from None
    if not isinstance(fields, dict):
        raise ApiError("The body is no object of JSON.", code="invalid_json")
    return {name: value for name, value in fields.items() if value is not None}


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name comes twice in an object")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def check_names(fields: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Raises ApiError for a field that is not known, or that asks for what is not there."""
    for name, value in fields.items():
        if name in known:
            continue
        if name not in ASKS_FOR_NOTHING:
            raise ApiError(
                f"`{readable(name, 60)}` is no field that is known here: those are "
                f"{', '.join(sorted(known))}.",
                readable(name, 60),
                code="unknown_parameter",
            )
        if not any(_are_same(value, plain) for plain in ASKS_FOR_NOTHING[name]):
            shown = readable(json.dumps(value), 60)
            message = f"`{name}` is not supported, but as a value that asks for nothing: {shown}."
            raise ApiError(message, name, code="unsupported_parameter")


def _are_same(value: Any, other: Any) -> bool:
    """Whether two values of JSON are equal; True is not 1."""
    return json.dumps(value) == json.dumps(other)


def check_numbers(fields: Mapping[str, Any]) -> None:
    """Raises ApiError for a number out of its range."""
    for name, number in NUMBERS.items():
        if name in fields:
            number.check(name, fields[name])


def flag_of(fields: Mapping[str, Any], name: str) -> bool:
    """A field that is true or false."""
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise wrong(name, "true or false", value)
    return value


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A field that has to be there, a text."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise wrong(name, "a text", value)
    return value


def stops_of(fields: Mapping[str, Any]) -> list[str]:
    """The texts that end a text."""
    given = fields.get("stop", [])
    stops = [given] if isinstance(given, str) else given
    are_texts = isinstance(stops, list) and all(isinstance(s, str) and s for s in stops)
    if not are_texts or len(stops) > MOST_STOPS:
        raise wrong("stop", f"a text, or at most {MOST_STOPS}, none of them empty", given)
    return stops


def bias_of(fields: Mapping[str, Any]) -> dict[int, float] | None:
    """What is added to logits, by token."""
    given = fields.get("logit_bias")
    if given is None:
        return None
    expected = f"at most {MOST_BIASES} tokens, each with a number from -100 to 100"
    if not isinstance(given, dict) or len(given) > MOST_BIASES:
        raise wrong("logit_bias", expected, given)
    bias = {}
    for token, number in given.items():
        if not token.isascii() or not token.isdigit() or len(token) > 10:
            raise wrong("logit_bias", expected, {token: number})
        Number(-100, 100).check("logit_bias", number)
        bias[int(token)] = float(number)
    if len(bias) < len(given):
        raise wrong("logit_bias", "each token once", given)
    return bias


def usage_of(fields: Mapping[str, Any], is_stream: bool) -> bool:
    """Whether a stream ends with what was used."""
    given = fields.get("stream_options")
    if given is None:
        return False
    is_known = isinstance(given, dict) and set(given) <= {"include_usage"}
    if not is_known or not is_stream:
        raise wrong("stream_options", '{"include_usage": true}, with `stream`', given)
    return flag_of(given, "include_usage")
