"""Docstrings as Markdown: text, sections as lists, doctests as programs."""

import re
import textwrap

SECTION = re.compile(r"(Args|More arguments|Attributes|Call arguments|Raises|Returns|Yields):$")
FREE = {"Returns", "Yields"}  # what stands there names nothing
ENTRY = re.compile(r"([*\w]+(?:, [*\w]+)*): ")
CODE = re.compile(r"(``.+?``|`[^`]+`)", re.S)


def markdown(docstring):
    r"""A docstring as Markdown.

    >>> print(markdown("Adds.\n\nArgs:\n    a, b: numbers,\n        or arrays."))
    Adds.
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    * `a, b`: numbers, or arrays.
    """
    return "\n\n".join(_block(block) for block in blocks(docstring))


def blocks(docstring):
    """The parts of a docstring, each a text: paragraphs, sections with what is indented below them,
    doctests.
    """
    parts, kind = [], None
    for line in docstring.strip().splitlines():
        if SECTION.match(line) or line.startswith(">>> ") and kind != "doctest":
            kind = "section" if SECTION.match(line) else "doctest"
            parts.append(line)
        elif not line.strip() and kind != "section":
            kind = None
        elif kind is None or kind == "section" and line[:1].strip():
            kind = "text"
            parts.append(line)
        else:
            parts[-1] += "\n" + line
    return parts


def _block(text):
    head, _, body = text.partition("\n")
    if text.startswith(">>> "):
        return f"```pycon\n{text}\n```"
    if SECTION.match(head):
        return f"**{head[:-1]}**\n\n" + _section(head[:-1], textwrap.dedent(body))
    return prose(text)


def _section(name, body):
    if name in FREE:
        return prose(" ".join(body.split()))
    entries = [" ".join(entry.split()) for entry in re.split(r"\n(?=\S)", body.strip("\n"))]
    return "\n".join(f"* {_entry(entry)}" for entry in entries)


def _entry(text):
    found = ENTRY.match(text)
    return f"`{found[1]}`: {prose(text[found.end() :])}" if found else prose(text)


def prose(text):
    r"""Text whose characters mean themselves, but for code between backticks.

    >>> print(prose("x * y of `a*b`, __init__"))
    x \* y of `a*b`, \_\_init\_\_
    """
    parts = CODE.split(text)
    return "".join(
        part if i % 2 else re.sub(r"([\\*_<\[\]#|])", r"\\\1", part) for i, part in enumerate(parts)
    )


def summary(docstring):
    """The first sentence, on one line, for a table.

    >>> summary("Adds a, b.")
    'Adds a, b.'
    """
    first = " ".join(blocks(docstring)[0].split())
    return prose(re.split(r"(?<=[\w)`\]]{2}\.) (?=[A-Z`])", first)[0])
