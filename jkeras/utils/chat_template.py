"""ChatTemplate: conversations as tokens, and which of them the assistant says."""

import collections.abc
import contextlib
import json
import os
import typing

import numpy as np

from jkeras.core.errors import explain, readable
from jkeras.core.names.registry import public
from jkeras.core.say.extras import install_line
from jkeras.utils.text_lines import encoder_of

BEGIN, END = "\ue000", "\ue001"  # as in `chat_sandbox`, which needs jinja2
LONGEST_FILE = 2**22
Message = collections.abc.Mapping[str, typing.Any]
Span = tuple[int, int]


@public("jkeras.utils.ChatTemplate")
class ChatTemplate:
    """A Jinja2 template of chats, as models come with, and a tokenizer: conversations become
    tokens, with a mask of what the assistant says.

    The template runs in Jinja2's `ImmutableSandboxedEnvironment`: it sees plain data alone, and
    neither attributes of Python's own nor files. What it does is counted, so that a loop without an
    end is an error. It takes the package `jinja2`.

    What the assistant says is what stands between `{% generation %}` and `{% endgeneration %}`.
    Where the template has no such marks, it is what an answer adds to the text of the messages
    before it with `add_generation_prompt=True`.

    Args:
        template: the text of a template, or of a folder of transformers, which has it in
            `chat_template.jinja` or `tokenizer_config.json`, with its special tokens.
        tokenizer: as of `TextLines`; None: the `tokenizer.json` of the folder, by the package
            `tokenizers`.
        special_tokens: what the template knows by name, such as `{"bos_token": "<s>"}`.
        control: what to do with messages that have the text of a control token in them: "error",
            or "allow", which lets them write control tokens.

    Attributes:
        template: its text.
        special_tokens: by name.

    Raises:
        ImportError: `jinja2` is not installed.
        ValueError: there is no template, or it is none.

    >>> template = ChatTemplate(
    ...     "{% for m in messages %}{{ m.role[0] }}:{{ m.content }};{% endfor %}"
    ...     "{% if add_generation_prompt %}a:{% endif %}",
    ...     lambda text: list(text.encode()),
    ... )
    >>> chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
    >>> template.render(chat)
    'u:hi;a:ho;'
    >>> tokens, mask = template(chat)
    >>> bytes(tokens[mask == 1].tolist())
    b'ho;'
    """

    def __init__(
        self,
        template: str | os.PathLike,
        tokenizer: typing.Any = None,
        *,
        special_tokens: collections.abc.Mapping[str, str] | None = None,
        control: typing.Literal["error", "allow"] = "error",
    ) -> None:
        text, found = template, {}
        if not isinstance(template, str) or os.path.isdir(template):
            text, found = of_folder(os.fspath(template))
            tokenizer = tokenizer_of(template) if tokenizer is None else tokenizer
        if control not in ("error", "allow"):
            raise ValueError(
                explain("ChatTemplate", "`control` 'error' or 'allow'", f"{control!r}")
            )
        self.template = text
        self.special_tokens = {**found, **(special_tokens or {})}
        self.tokenizer = tokenizer
        self.control = control
        self._sandbox = _sandbox()
        with _explained():
            self._compiled = self._sandbox.compiled(text)

    # ------------------------------------------------------------ text

    def render(
        self,
        messages: collections.abc.Sequence[Message],
        *,
        add_generation_prompt: bool = False,
        **data: typing.Any,
    ) -> str:
        """The text of a conversation.

        Args:
            messages: dicts of "role" and "content", and what else the template knows.
            add_generation_prompt: end with what stands before an answer of the assistant.
            data: what else the template knows, such as `tools`; plain data.

        Raises:
            ValueError: messages that are no plain data or that the template refuses, a template
                that is refused.
        """
        text = self._rendered(messages, add_generation_prompt, data)
        return text.replace(BEGIN, "").replace(END, "")

    def _rendered(self, messages: typing.Any, generate: bool, data: dict) -> str:
        """The text with marks around what the assistant says, where the template has them."""
        data = {"tools": None, "documents": None, **data}
        data |= {"messages": messages, "add_generation_prompt": generate}
        data = plain({**self.special_tokens, **data})
        with _explained():
            return self._sandbox.render(self._compiled, data)

    def answers(
        self, messages: collections.abc.Sequence[Message], **data: typing.Any
    ) -> list[Span]:
        """Where in the text of a conversation stands what the assistant says, (begin, end) of each.

        Raises:
            ValueError: as of `render`; it cannot be told.
        """
        marked = self._rendered(messages, False, data)
        if BEGIN in marked:
            return spans_of_marks(marked)
        spans = []
        for number, message in enumerate(messages):
            if message.get("role") != "assistant":
                continue
            before = self._rendered(messages[:number], True, data)
            behind = self._rendered(messages[: number + 1], False, data)
            is_told = behind.startswith(before) and marked.startswith(behind)
            if not is_told or len(before) == len(behind):
                expected = "a template whose text only grows from message to message"
                received = f"another text before and behind message {number}"
                fix = (
                    "write {% generation %} and {% endgeneration %} around what the assistant says"
                )
                raise ValueError(explain("ChatTemplate", expected, received, fix))
            spans.append((len(before), len(behind)))
        return spans

    # ------------------------------------------------------------ tokens

    def __call__(
        self, messages: collections.abc.Sequence[Message], **data: typing.Any
    ) -> tuple[np.ndarray, np.ndarray]:
        """(tokens, mask) of a conversation; the mask is 1 where the assistant speaks.
        `pack_sequences` takes such pairs.

        Args:
            messages, data: as of `render`.

        Raises:
            ValueError: as of `render`; a message with a control token in it; the assistant says
                nothing; tokens that lie across the beginning or the end of an answer.
        """
        self._check_control(messages)
        spans = self.answers(messages, **data)
        if not spans:
            expected = "a conversation in which the assistant says something"
            roles = [message.get("role") for message in messages]
            raise ValueError(explain("ChatTemplate", expected, f"the roles {roles}"))
        text = self.render(messages, **data)
        if hasattr(self.tokenizer, "encode_batch"):
            encoding = self.tokenizer.encode(text, add_special_tokens=False)
            tokens, places = np.asarray(encoding.ids), encoding.offsets
            mask = [any(begin <= at < end for begin, end in spans) for at, _ in places]
            return tokens, np.array(mask, "int8")
        return self._by_pieces(text, spans)

    def _by_pieces(self, text: str, spans: list[Span]) -> tuple[np.ndarray, np.ndarray]:
        """Tokens of a tokenizer that does not say where they are: piece by piece, which has to be
        what the whole text gives.
        """
        cuts = [0, *(at for span in spans for at in span), len(text)]
        encode = encoder_of(self.tokenizer)
        pieces = [text[a:b] for a, b in zip(cuts, cuts[1:])]
        tokens = [np.asarray(part, "int64") for part in encode(pieces)]
        mask = [np.full(len(part), number % 2, "int8") for number, part in enumerate(tokens)]
        tokens = np.concatenate(tokens)
        if not np.array_equal(tokens, np.asarray(encode([text])[0])):
            expected = "a tokenizer that makes the same tokens of the parts of a text"
            fix = "take a `tokenizers.Tokenizer`, which says where its tokens are"
            raise ValueError(explain("ChatTemplate", expected, "others at an answer's ends", fix))
        return tokens, np.concatenate(mask)

    def prompt(self, messages: collections.abc.Sequence[Message], **data: typing.Any) -> np.ndarray:
        """The tokens of a conversation up to an answer of the assistant, to generate from."""
        self._check_control(messages)
        text = self.render(messages, add_generation_prompt=True, **data)
        if hasattr(self.tokenizer, "encode_batch"):
            return np.asarray(self.tokenizer.encode(text, add_special_tokens=False).ids)
        return np.asarray(encoder_of(self.tokenizer)([text])[0])

    def line(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """(tokens, mask) of a line of JSON: messages, or an object with "messages" and what else
        the template knows. `TextLines("chats.jsonl", template.line)` reads files of them.

        Raises:
            ValueError: as of a call; no JSON, or no messages in it.
        """
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError(
                explain("ChatTemplate", "a line of JSON", readable(text, 80))
            ) from error
        data = value if isinstance(value, dict) else {"messages": value}
        if "messages" not in data:
            raise ValueError(explain("ChatTemplate", "'messages' in a line", f"{sorted(data)}"))
        return self(data["messages"], **{k: v for k, v in data.items() if k != "messages"})

    def _check_control(self, messages: typing.Any) -> None:
        """Raises ValueError for messages that would write control tokens."""
        if self.control == "allow":
            return
        known = {*self.special_tokens.values(), *control_tokens(self.tokenizer)}
        known = sorted(token for token in known if token.strip())
        for number, message in enumerate(messages):
            texts = json.dumps(plain(message), ensure_ascii=False)
            found = [t for t in known if json.dumps(t, ensure_ascii=False)[1:-1] in texts]
            if found:
                expected = "messages without control tokens"
                received = f"{found[0]!r} in message {number}"
                fix = "take it out, or pass `control='allow'`, which lets messages write them"
                raise ValueError(explain("ChatTemplate", expected, received, fix))


def control_tokens(tokenizer: typing.Any) -> list[str]:
    """The texts of the tokens of a `tokenizers.Tokenizer` that are special."""
    if not hasattr(tokenizer, "get_added_tokens_decoder"):
        return []
    added = tokenizer.get_added_tokens_decoder().values()
    return [token.content for token in added if token.special]


def spans_of_marks(text: str) -> list[Span]:
    """Where the marks of a text stand, in the text without them.

    >>> spans_of_marks("a" + BEGIN + "bc" + END + "d")
    [(1, 3)]
    """
    spans, at, begin = [], 0, 0
    for letter in text:
        if letter == BEGIN:
            begin = at
        elif letter == END:
            spans.append((begin, at))
        else:
            at += 1
    return spans


def plain(value: typing.Any) -> typing.Any:
    """A copy of plain data: dicts with texts as keys, lists, texts, numbers, None.

    Raises:
        ValueError: it has something else, or a private character that marks answers.

    >>> plain({"content": ("a", 1)})
    {'content': ['a', 1]}
    """
    if isinstance(value, str):
        if BEGIN in value or END in value:
            expected = "texts without the private characters U+E000 and U+E001"
            raise ValueError(explain("ChatTemplate", expected, readable(repr(value), 80)))
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, collections.abc.Mapping):
        return {_name(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    expected = "plain data: dicts, lists, texts, numbers and None"
    raise ValueError(explain("ChatTemplate", expected, f"a {type(value).__name__}"))


def _name(key: typing.Any) -> str:
    if not isinstance(key, str):
        raise ValueError(explain("ChatTemplate", "texts as keys", f"{key!r}"))
    return key


# ---------------------------------------------------------------- folders


def of_folder(folder: str) -> tuple[str, dict[str, str]]:
    """(template, special tokens by name) of a folder of transformers.

    Raises:
        ValueError: it has no template, or several of which none is the default.
    """
    config = {}
    path = os.path.join(folder, "tokenizer_config.json")
    if os.path.exists(path):
        config = json.loads(_read(path))
    tokens = {name: _text_of(value) for name, value in config.items() if name.endswith("_token")}
    tokens = {name: text for name, text in tokens.items() if isinstance(text, str)}
    template = config.get("chat_template")
    path = os.path.join(folder, "chat_template.jinja")
    if os.path.exists(path):
        template = _read(path)
    if isinstance(template, list):
        named = {one.get("name"): one.get("template") for one in template}
        template = named.get("default")
    if not isinstance(template, str):
        expected = "a `chat_template.jinja`, or a 'chat_template' in `tokenizer_config.json`"
        fix = "pass the text of a template"
        raise ValueError(explain(f"ChatTemplate, {folder}", expected, "none", fix))
    return template, tokens


def _text_of(value: typing.Any) -> typing.Any:
    """The text of a token of a config, which may be a dict."""
    if isinstance(value, dict):
        return value.get("content")
    return value


def _read(path: str) -> str:
    size = os.path.getsize(path)
    if size > LONGEST_FILE:
        raise ValueError(explain(path, f"at most {LONGEST_FILE} bytes", f"{size}"))
    with open(path, encoding="utf-8") as file:
        return file.read()


def tokenizer_of(folder: str | os.PathLike) -> typing.Any:
    """The tokenizer of a folder of transformers.

    Raises:
        ImportError: the package `tokenizers` is not installed.
    """
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "The tokenizer of a folder takes the package `tokenizers`. To fix it: "
            f"`{install_line('chat')}`, or pass `tokenizer=`."
        ) from error
    return tokenizers.Tokenizer.from_file(os.path.join(os.fspath(folder), "tokenizer.json"))


# ---------------------------------------------------------------- jinja2


def _sandbox() -> typing.Any:
    try:
        from jkeras.utils.chat_sandbox import Sandbox
    except ImportError as error:
        raise ImportError(
            f"Templates of chats take the package `jinja2`. To fix it: `{install_line('chat')}`."
        ) from error
    return Sandbox()


@contextlib.contextmanager
def _explained() -> collections.abc.Iterator[None]:
    """A block in which what goes wrong in a template is a ValueError."""
    import jinja2

    kinds = (
        jinja2.TemplateError,
        TypeError,
        ArithmeticError,
        LookupError,
        AttributeError,
        ValueError,
    )
    try:
        yield
    except kinds as error:
        line = getattr(error, "lineno", None)
        where = "" if line is None else f" (line {line})"
        words = readable(f"{type(error).__name__}: {error}", 300)
        expected = "a template that gives a text for these messages"
        raise ValueError(explain("ChatTemplate", expected, f"{words}{where}")) from error
