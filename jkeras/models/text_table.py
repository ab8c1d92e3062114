"""A table of texts in boxes of lines, as terminals show it: columns of set widths, long texts
broken after spaces. The characters are those that Keras prints.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence


def table_of(
    titles: Sequence[str],
    rows: list[list[str]],
    widths: list[int],
    total: int,
    justify: list[str],
    emphasize: Callable[[str], str],
) -> list[str]:
    """The lines of a table.

    Args:
        titles: of the columns.
        rows: lists of as many texts.
        widths: desired, of the text in each column.
        total: characters of a line of the table; columns give or take what is over or missing.
        justify: "left", "right" or "center" for each column.
        emphasize: what makes a title stand out, `text -> text`.

    >>> table = table_of(["a", "b"], [["1 one", "2"]], [6, 4], 11, ["left", "right"], str)
    >>> print(*table, sep="\\n")
    ┏━━━━━┳━━━┓
    ┃ a   ┃ b ┃
    ┡━━━━━╇━━━┩
    │ 1   │ 2 │
    │ one │   │
    └─────┴───┘
    """
    inner = _fitted([width + 2 for width in widths], total - len(widths) - 1)
    head = _head(titles, inner, justify, emphasize)
    lines = [_rule("┏━┳┓", inner), *head, _rule("┡━╇┩", inner)]
    for number, row in enumerate(rows):
        if number:
            lines.append(_rule("├─┼┤", inner))
        lines.extend(_body(row, inner, justify))
    return [*lines, _rule("└─┴┘", inner)]


def wrapped(text: str, width: int) -> list[str]:
    """A text in lines of at most so many characters, broken after spaces; of a longer word stands
    the beginning.

    >>> wrapped("one two threefour", 7)
    ['one two', 'threef…']
    """
    lines, line = [], ""
    for word in re.findall(r"\s*\S+\s*", text):
        if line and length(line) + length(word.rstrip()) > width:
            lines.append(line)
            line = ""
        line += word
    return [_shortened(line.rstrip(), width) for line in (*lines, line)]


def _shortened(text: str, width: int) -> str:
    """A text of at most this width; a longer one ends with dots."""
    if length(text) <= width:
        return text
    while length(text) > width - 1:
        text = text[:-1]
    return f"{text}{' ' * (width - 1 - length(text))}…"


def length(text: str) -> int:
    """How many columns of a terminal a text takes.

    >>> length("abc"), length("日本")
    (3, 4)
    """
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    if unicodedata.east_asian_width(character) in "WF":
        return 2
    return 1


def _fitted(widths: list[int], total: int) -> list[int]:
    """Widths with this sum: all give alike where it is smaller, and take by their size where it is
    larger.
    """
    excess, missing = sum(widths) - total, total - sum(widths)
    fitted, count, size = [], len(widths), sum(widths)
    for width in widths:
        if excess > 0:
            change = min(width, round(excess / count))
            excess -= change
            fitted.append(width - change)
        else:
            change = -(-width * missing // size) if missing else 0
            missing -= change
            fitted.append(width + change)
        count, size = count - 1, size - width
    return fitted


def _rule(characters: str, widths: list[int]) -> str:
    left, line, cross, right = characters
    return left + cross.join(line * width for width in widths) + right


def _head(
    texts: Sequence[str], widths: list[int], justify: list[str], emphasize: Callable[[str], str]
) -> list[str]:
    """The lines of the titles, which stand at the bottom."""
    cells = _cells(texts, widths)
    height = max(map(len, cells))
    cells = [[""] * (height - len(cell)) + cell for cell in cells]
    return _lines("┃", cells, widths, justify, emphasize)


def _body(texts: Sequence[str], widths: list[int], justify: list[str]) -> list[str]:
    """The lines of a row, as many as its longest text takes."""
    cells = _cells(texts, widths)
    height = max(map(len, cells))
    cells = [cell + [""] * (height - len(cell)) for cell in cells]
    return _lines("│", cells, widths, justify, str)


def _cells(texts: Sequence[str], widths: list[int]) -> list[list[str]]:
    """The lines of each text; none of a column that has room for its two spaces alone."""
    return [wrapped(text, width - 2) if width > 2 else [""] for text, width in zip(texts, widths)]


def _lines(
    edge: str,
    cells: list[list[str]],
    widths: list[int],
    justify: list[str],
    emphasize: Callable[[str], str],
) -> list[str]:
    lines = []
    for parts in zip(*cells):
        placed = [
            f" {_placed(text, width - 2, side, emphasize)} "
            for text, width, side in zip(parts, widths, justify)
        ]
        lines.append(edge + edge.join(placed) + edge)
    return lines


def _placed(text: str, width: int, side: str, emphasize: Callable[[str], str]) -> str:
    """A text with spaces around it."""
    spaces = max(width - length(text), 0)
    left = {"left": 0, "right": spaces, "center": spaces // 2}[side]
    return " " * left + (emphasize(text) if text else "") + " " * (spaces - left)
