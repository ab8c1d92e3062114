"""The environment in which templates of chats run: Jinja2's sandbox with bounds.

A template comes with a model's files, from anybody. It sees plain data alone, no attribute of
Python's own, no file and no other template, and it may only do so much: rounds of loops, calls and
the characters and items that it makes are counted.
"""

import datetime
import functools
import json
import re
import threading
from collections.abc import Callable, Iterable
from typing import Any

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

BUDGET = 2**25  # characters and items; a round of a loop or a call takes ROUND of them
PER_CHARACTER = 1000  # more for each character of the data
ROUND = 32
ITEM = 8
MOST = 100_000  # numbers that say how long something becomes
MOST_BITS = 4096  # of whole numbers
BEGIN, END = "\ue000", "\ue001"  # around what the assistant says; private characters of Unicode
WIDTH = re.compile(r"%[^a-zA-Z%]*(\*|\d{6,})")
FORMAT_WIDTH = re.compile(r"\{[^{}]*[:!][^}]*(\{|\d{6,})")
REFUSED_METHODS = ("translate", "format_map")
REFUSED_GLOBALS = ("lipsum", "cycler", "joiner")


class TooMuch(jinja2.TemplateRuntimeError):
    """A template does more than a chat can need."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Jinja2's immutable sandbox as transformers sets it up, with bounds on what is done.

    >>> Sandbox().run("{% for m in messages %}{{ m.role }}{% endfor %}", messages=[{"role": "a"}])
    'a'
    """

    intercepted_binops = frozenset(["+", "*", "**", "%"])

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[jinja2.ext.loopcontrols, Generation],
        )
        for name in REFUSED_GLOBALS:
            del self.globals[name]
        self.globals["raise_exception"] = _raise
        self.globals["namespace"] = Namespace
        self.globals["dict"] = _dict
        self.globals["strftime_now"] = datetime.datetime.now().strftime
        self.filters["tojson"] = _to_json
        self.filters = {name: self._bounded(f) for name, f in self.filters.items()}
        self._left = 0.0
        self._lock = threading.Lock()

    def run(self, source: str, **data: Any) -> str:
        """What a template gives for data.

        Raises:
            jinja2.TemplateError: it is no template, is refused, or says that the data are wrong.
        """
        return self.render(self.compiled(source), data)

    def compiled(self, source: str) -> jinja2.Template:
        """A template, whose loops and sums of texts are counted."""
        tree = Counting().visit(self.parse(source))
        return jinja2.Template.from_code(self, self.compile(tree), self.make_globals(None))

    def render(self, template: jinja2.Template, data: dict[str, Any]) -> str:
        """What a compiled template gives for data."""
        size = len(json.dumps(data))
        with self._lock:
            self._left = BUDGET + PER_CHARACTER * size
            parts = []
            try:
                for part in template.generate(data):
                    self.spend(len(part))
                    parts.append(part)
            except RecursionError:
                raise TooMuch("it calls itself without an end") from None
            return "".join(parts)

    # ------------------------------------------------------------ bounds

    def spend(self, count: float = ROUND) -> str:
        """Counts what is done, an empty text.

        Raises:
            TooMuch: it is too much.
        """
        self._left -= count
        if self._left < 0:
            raise TooMuch("it runs too long, or makes too long a text")
        return ""

    def weighed(self, value: Any) -> Any:
        """A list, tuple or dict, whose items are counted at all depths: what is in it twice counts
        twice, as it does where it is written or compared.
        """
        if isinstance(value, str):
            self.spend(len(value))
        elif isinstance(value, (list, tuple, dict)):
            self.spend(ITEM * len(value))
            for item in value.values() if isinstance(value, dict) else value:
                self.weighed(item)
        return value

    def concat(self, parts: Iterable[str]) -> str:
        """The parts of a block as one text."""
        parts = list(parts)
        self.spend(sum(map(len, parts)))
        return "".join(parts)

    def wrap_str_format(self, value: Any) -> Callable | None:
        """`format` of a text, which jinja2 keeps from attributes of Python's own."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        @functools.wraps(wrapped)
        def bounded(*args: Any, **kwargs: Any) -> str:
            text = value.__self__
            _check_width(FORMAT_WIDTH, text)
            longest = max([0, *(len(str(arg)) for arg in [*args, *kwargs.values()])])
            self.spend(len(text) + text.count("{") * longest)
            return wrapped(*args, **kwargs)

        return bounded

    def concat_of(self, *parts: Any) -> str:
        """`a ~ b`."""
        texts = [str(part) for part in parts]
        self.spend(sum(map(len, texts)))
        return "".join(texts)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """An operator whose result may be large."""
        self.spend(_size_of_result(operator, left, right))
        for value in (left, right):
            if isinstance(value, (list, tuple)):
                self.weighed(value)
        return super().call_binop(context, operator, left, right)

    def call(self, context: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
        """A call, also of a method of a text."""
        self.spend()
        if function in (_dict, Namespace):
            self.weighed([*args, *kwargs.values()])
        owner = getattr(function, "__self__", None)
        if isinstance(owner, str):
            self.spend(_size_of_method(owner, function.__name__, [*args, *kwargs.values()]))
        return super().call(context, function, *args, **kwargs)

    def _bounded(self, function: Callable) -> Callable:
        """A filter whose numbers and results are counted."""

        @functools.wraps(function)
        def bounded(*args: Any, **kwargs: Any) -> Any:
            given = [*args, *kwargs.values()]
            _check_numbers(given)
            if function.__name__ in ("do_format", "do_replace", "sync_do_join", "do_join"):
                given = [arg for arg in given if not hasattr(arg, "autoescape")]
                self.spend(_size_of_filter(function.__name__, given))
            result = function(*args, **kwargs)
            self.spend(ROUND + (len(result) if isinstance(result, (str, list, tuple)) else 0))
            return result

        return bounded


class Counting(NodeTransformer):
    """Puts `spend` into each round of a loop, and `concat_of` in the place of `~`."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 (jinja2's names)
        """A loop that is counted."""
        self.generic_visit(node)
        node.body.insert(0, nodes.Output([_call_of("spend", [])]))
        return node

    def _display(self, node: nodes.Expr) -> nodes.Call:
        """A list, tuple or dict that is counted."""
        self.generic_visit(node)
        return _call_of("weighed", [node])

    visit_List = visit_Dict = _display  # noqa: N815

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Expr:  # noqa: N802
        """A tuple that is counted, but for names that are set."""
        if node.ctx != "load":
            return node
        return self._display(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Call:  # noqa: N802
        """`a ~ b` as a call."""
        self.generic_visit(node)
        return _call_of("concat_of", node.nodes)


def _call_of(name: str, args: list) -> nodes.Call:
    """A call of a method of the environment, which a template cannot replace."""
    return nodes.Call(nodes.EnvironmentAttribute(name), args, [], None, None)


class Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}`, as in transformers: what the assistant says."""

    tags = {"generation"}  # noqa: RUF012 (jinja2's name)

    def parse(self, parser: Any) -> list[nodes.Node]:
        """The body between two marks."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        begin, end = (
            nodes.Output([nodes.TemplateData(mark)], lineno=line) for mark in (BEGIN, END)
        )
        return [begin, *body, end]


class Namespace(jinja2.utils.Namespace):
    """`namespace()` without names that Python keeps for itself."""

    def __repr__(self) -> str:
        return "namespace"

    def __setitem__(self, name: str, value: Any) -> None:
        if str(name).startswith("_"):
            raise jinja2.exceptions.SecurityError(f"a namespace has no {name!r}")
        super().__setitem__(name, value)


def _dict(*args: Any, **kwargs: Any) -> dict:
    return dict(*args, **kwargs)


def _raise(message: str) -> None:
    raise jinja2.TemplateError(str(message))


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    """JSON as it is, without marks of HTML."""
    options = {"indent": indent, "separators": separators, "sort_keys": sort_keys}
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


# ---------------------------------------------------------------- sizes


def _size_of_result(operator: str, left: Any, right: Any) -> float:
    """How many characters or items an operator makes, at most."""
    if operator == "%" and isinstance(left, str):
        _check_width(WIDTH, left)
        return len(left) + len(str(right))
    if operator == "%":
        return 0
    if _are_whole(left, right):
        _check_bits(operator, left, right)
        return 1
    sizes = [_length(left), _length(right)]
    if operator == "+":
        return sum(sizes)
    whole = [value for value in (left, right) if isinstance(value, int)]
    return max(sizes) * max([1, *whole])


def _are_whole(*values: Any) -> bool:
    return all(isinstance(value, int) for value in values)


def _check_bits(operator: str, left: int, right: int) -> None:
    """Raises TooMuch for whole numbers that become very large."""
    bits = left.bit_length() + right.bit_length()
    if operator == "**":
        bits = left.bit_length() * max(right, 1)
    if bits > MOST_BITS:
        raise TooMuch("it computes with too large numbers")


def _size_of_method(text: str, name: str, args: list) -> float:
    """How many characters a method of a text makes, at most."""
    _check_numbers(args)
    if name in REFUSED_METHODS:
        raise jinja2.exceptions.SecurityError(f"a template may not call `{name}`")
    if name == "join" and args:
        return _size_of_join(args[0], text)
    if name == "replace" and len(args) > 1:
        return _size_of_replace(text, *args[:2])
    return len(text) + sum(map(_length, args))


def _size_of_filter(name: str, args: list) -> float:
    if name == "do_format":
        _check_width(WIDTH, str(args[0]))
        return sum(len(str(arg)) for arg in args)
    if name == "do_replace":
        return _size_of_replace(str(args[0]), *args[1:3])
    return _size_of_join(args[0], args[1] if len(args) > 1 else "")


def _size_of_replace(text: str, old: Any, new: Any) -> float:
    return len(text) + text.count(str(old)) * len(str(new))


def _size_of_join(values: Any, between: Any) -> float:
    if not isinstance(values, (list, tuple, str, dict)):
        return 0  # what is made one by one is counted there
    return sum(_length(value) + len(str(between)) for value in values)


def _length(value: Any) -> int:
    """How many characters or items a value has."""
    if isinstance(value, (str, list, tuple, dict)):
        return len(value)
    return 1


def _check_numbers(values: Any) -> None:
    """Raises TooMuch for numbers by which something may become very long."""
    for value in values:
        if isinstance(value, int) and value > MOST:
            raise TooMuch(f"it asks for {value} of something")


def _check_width(pattern: re.Pattern, text: str) -> None:
    if pattern.search(text):
        raise TooMuch("it formats to too wide a text")
