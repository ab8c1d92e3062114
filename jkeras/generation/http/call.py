"""Call: what one call of the interface asks for, checked."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jkeras.generation.http.errors import ApiError
from jkeras.generation.http.fields import (
    CHAT,
    COMPLETION,
    MOST_TEXTS,
    Number,
    bias_of,
    check_names,
    check_numbers,
    flag_of,
    stops_of,
    text_of,
    usage_of,
    wrong,
)
from jkeras.generation.sampling_params import SamplingParams

DEFAULT_TOKENS = 16  # of a completion, as OpenAI's interface has it
MOST_LOGPROBS = {"logprobs": 5, "top_logprobs": 20}


@dataclasses.dataclass(frozen=True)
class Call:
    """What is asked for.

    Attributes:
        is_chat: whether the answer is a message.
        prompts: texts, or tokens.
        params: of each text.
        stop: texts that end one.
        n: texts for each prompt.
        logprobs: so many of the likeliest tokens are told; None: no probabilities are.
        is_stream: whether texts come piece by piece.
        has_usage: whether a stream ends with what was used.
    """

    is_chat: bool
    prompts: list[Any]
    params: SamplingParams
    stop: list[str]
    n: int
    logprobs: int | None
    is_stream: bool
    has_usage: bool


def completion_of(fields: Mapping[str, Any]) -> Call:
    """What `/v1/completions` is asked for.

    Raises:
        ApiError: a field is not known, or its value is wrong.
    """
    check_names(fields, COMPLETION)
    logprobs = fields.get("logprobs")
    if logprobs is not None:
        Number(0, MOST_LOGPROBS["logprobs"], is_whole=True).check("logprobs", logprobs)
    most = fields.get("max_tokens", DEFAULT_TOKENS)
    return _call(fields, False, _prompts_of(fields), logprobs, most)


def chat_of(fields: Mapping[str, Any], render: Callable[[Any], np.ndarray]) -> Call:
    """What `/v1/chat/completions` is asked for.

    Args:
        render: `messages -> tokens`, by the template of the model.

    Raises:
        ApiError: a field is not known, or its value is wrong.
    """
    check_names(fields, CHAT)
    most = fields.get("max_completion_tokens", fields.get("max_tokens"))
    if fields.get("max_tokens", most) != most:
        raise wrong("max_tokens", "the same as `max_completion_tokens`", fields["max_tokens"])
    logprobs = None
    if flag_of(fields, "logprobs"):
        logprobs = fields.get("top_logprobs", 0)
        Number(0, MOST_LOGPROBS["top_logprobs"], is_whole=True).check("top_logprobs", logprobs)
    elif "top_logprobs" in fields:
        raise wrong("top_logprobs", "`logprobs` to be true beside it", fields["top_logprobs"])
    check_numbers(fields)
    messages = _conversation(fields.get("messages"))
    try:
        prompt = render(messages)
    except ValueError as error:
        raise ApiError(str(error), "messages", code="invalid_value") from None
    return _call(fields, True, [prompt], logprobs, most)


def _call(
    fields: Mapping[str, Any],
    is_chat: bool,
    prompts: list[Any],
    logprobs: int | None,
    most: int | None,
) -> Call:
    """What both have in common."""
    check_numbers(fields)
    n = fields.get("n", 1)
    if n * len(prompts) > MOST_TEXTS:
        expected = f"at most {MOST_TEXTS} texts of one call, `n` for each prompt"
        raise wrong("n", expected, n * len(prompts))
    if "user" in fields:
        text_of(fields, "user")
    params = SamplingParams(
        max_new_tokens=most,
        temperature=fields.get("temperature", 1.0),
        top_p=fields.get("top_p"),
        presence_penalty=fields.get("presence_penalty", 0.0),
        frequency_penalty=fields.get("frequency_penalty", 0.0),
        logit_bias=bias_of(fields),
        seed=fields.get("seed"),
    )
    is_stream = flag_of(fields, "stream")
    has_usage = usage_of(fields, is_stream)
    return Call(is_chat, prompts, params, stops_of(fields), n, logprobs, is_stream, has_usage)


def _prompts_of(fields: Mapping[str, Any]) -> list[Any]:
    """A text, several, tokens, or several lists of those."""
    given = fields.get("prompt")
    if isinstance(given, str) or _are_tokens(given):
        return [given]
    is_list = isinstance(given, list) and bool(given)
    if is_list and all(isinstance(one, str) for one in given):
        return given
    if is_list and all(map(_are_tokens, given)):
        return given
    raise wrong("prompt", "a text, tokens, or a list of texts or of lists of tokens", given)


def _are_tokens(value: Any) -> bool:
    """Whether it is a list of whole numbers that tokens may be."""
    if not isinstance(value, list) or not value:
        return False
    return all(type(one) is int and 0 <= one < 2**31 for one in value)


def _conversation(messages: Any) -> list[dict[str, str]]:
    """Messages of texts.

    Raises:
        ApiError: it is none.
    """
    expected = 'a list of messages, as {"role": "user", "content": "a text"}'
    if not isinstance(messages, list) or not messages:
        raise wrong("messages", expected, messages)
    found = []
    for number, message in enumerate(messages):
        name = f"messages[{number}]"
        if not isinstance(message, dict) or set(message) - {"role", "content", "name"}:
            raise wrong(name, expected + ', and perhaps "name"', message)
        if not {"role", "content"} <= set(message):
            raise wrong(name, expected, message)
        message = {**message, "content": _content(message["content"])}
        for key, value in message.items():
            if not isinstance(value, str):
                raise wrong(f"{name}.{key}", "a text", value)
        found.append(message)
    return found


def _content(content: Any) -> Any:
    """The text of a message, which may come in parts."""
    if not isinstance(content, list):
        return content
    for part in content:
        is_part = isinstance(part, dict) and set(part) == {"type", "text"}
        if not is_part or part["type"] != "text" or not isinstance(part["text"], str):
            raise wrong("messages", 'parts as {"type": "text", "text": "..."}', part)
    return "".join(part["text"] for part in content)
