"""Tables of texts have the characters of `rich`, with which Keras prints its own."""

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.markup import escape
from rich.table import Table

import jkeras
from jkeras.callbacks import progress
from jkeras.models.text_table import table_of
from tests.shell.test_progress import Terminal, shown

SIDES = ["left", "right", "center"]


def by_rich(titles, rows, widths, total, justify):
    table = Table(width=total, show_lines=True)
    for title, width, side in zip(titles, widths, justify):
        table.add_column(title, width=width, justify=side)
    for row in rows:
        table.add_row(*map(escape, row))
    console = Console(file=io.StringIO(), highlight=False, color_system=None)
    console.width = max(console.width, total)
    console.print(table)
    return console.file.getvalue().splitlines()


@st.composite
def tables(draw):
    count = draw(st.integers(2, 5))
    ends = sorted(draw(st.lists(st.integers(1, 9), min_size=count, max_size=count, unique=True)))
    total = draw(st.integers(40, 120))
    stops = [int(end / 10 * total) for end in ends[:-1]] + [total - draw(st.integers(0, 3))]
    widths = [high - low for low, high in zip([0, *stops], stops)]
    # so wide that each column keeps a letter
    widths = [max(width, 8) for width in widths]
    # of letters of double width it cuts off some that would fit
    text = st.text("ab_ (),[]0└é ", max_size=30)
    rows = draw(st.lists(st.lists(text, min_size=count, max_size=count), max_size=3))
    titles = draw(st.lists(st.text("ab (#)", min_size=1), min_size=count, max_size=count))
    justify = draw(st.lists(st.sampled_from(SIDES), min_size=count, max_size=count))
    return titles, rows, widths, sum(widths) + draw(st.integers(0, 9)), justify


@settings(max_examples=200, deadline=None)
@given(tables())
def test_tables_are_those_of_rich(table):
    assert table_of(*table, str) == by_rich(*table)


# ---------------------------------------------------------------- where a summary is shown


def small():
    jkeras.config.enable_interactive_logging()
    return jkeras.Sequential([jkeras.Input((3,)), jkeras.layers.Dense(2)], name="small")


def test_titles_are_bold_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    model = small()
    plain = shown(monkeypatch, io.StringIO(), model.summary)
    bold = shown(monkeypatch, Terminal(), model.summary)
    assert "\x1b" not in plain
    assert bold.startswith('\x1b[1mModel: "small"\x1b[0m\n') and "\x1b[1mParam #\x1b[0m" in bold
    assert bold.replace("\x1b[1m", "").replace("\x1b[0m", "") == plain
    monkeypatch.setenv("TERM", "dumb")
    assert shown(monkeypatch, Terminal(), model.summary) == plain


def test_a_terminal_without_lines(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", stream)
    small().summary()
    monkeypatch.undo()
    lines = stream.buffer.getvalue().decode().splitlines()
    assert lines[1].startswith("+===") and "| dense (Dense) " in lines[4]


def test_a_notebook_has_one_table_whose_lines_are_not_broken(monkeypatch):
    display = pytest.importorskip("IPython.display")
    contents = []
    monkeypatch.setattr(display, "display", lambda content, raw: contents.append(content))
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    model = small()
    model.summary()
    (content,) = contents
    assert content["text/html"].startswith('<pre style="white-space:pre;')
    assert "<b>Param #</b>" in content["text/html"]
    assert "Param #" in content["text/plain"] and "\x1b" not in content["text/plain"]
