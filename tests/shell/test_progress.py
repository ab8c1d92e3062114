"""What `fit` shows: a bar on a terminal, one display in a notebook, one line for each epoch in a
file.
"""

import io
import re
import sys

import nbclient
import nbformat
import numpy as np
import pytest

import jkeras
from jkeras.callbacks import progress

X, Y = np.ones((64, 4), "float32"), np.ones((64, 2), "float32")


@pytest.fixture(autouse=True)
def interactive():
    """As in a user's session; the suite's conftest switches it off."""
    jkeras.config.enable_interactive_logging()


def small():
    model = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, stream, work):
    monkeypatch.setattr(sys, "stdout", stream)
    work()
    monkeypatch.undo()
    return stream.getvalue()


COMPILED = r"( - compiled in [\d.]+s)?"  # where it took long enough to speak of


def test_a_file_gets_one_line_for_each_epoch(monkeypatch):
    text = shown(
        monkeypatch, io.StringIO(), lambda: small().fit(X, Y, epochs=3, validation_split=0.25)
    )
    lines = text.splitlines()
    assert len(lines) == 3 and "\x1b" not in text and "\r" not in text
    for i, line in enumerate(lines):
        compiled = "" if i else COMPILED
        assert re.fullmatch(
            rf"Epoch {i + 1}/3 - 2/2 - \d+s - \d+[mu]?s/step - [\d.kM]+ rows/s{compiled} - "
            r"loss: [\d.e-]+ - mae: [\d.e-]+ - val_loss: [\d.e-]+ - val_mae: [\d.e-]+",
            line,
        )


@pytest.mark.promise("`ProgbarLogger` | the bar, the time left")
def test_a_terminal_gets_a_bar_that_is_drawn_in_place(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = shown(monkeypatch, Terminal(), lambda: small().fit(X, Y, epochs=2))
    assert text.count("\n") == 4 and "Epoch 2/2\n" in text
    assert re.search(r"\r\x1b\[2K2/2 ━{20} \d+s [\dmu]+s/step - loss: .* - mae: ", text)


@pytest.mark.parametrize("verbose, lines", [(0, 0), (2, 1)])
def test_verbose(monkeypatch, verbose, lines):
    text = shown(monkeypatch, Terminal(), lambda: small().fit(X, Y, verbose=verbose))
    assert text.count("\n") == lines and "━" not in text


def test_logging_can_be_made_plain_for_the_session(monkeypatch):
    jkeras.config.disable_interactive_logging()
    text = shown(monkeypatch, Terminal(), lambda: small().evaluate(X, Y))
    assert re.fullmatch(rf"2/2 - \d+s - \d+[mu]?s/step{COMPILED} - loss: .* - mae: .*\n", text)


def test_a_notebook_has_one_display_that_is_updated():
    code = (
        "import numpy as np, jkeras\nmodel = jkeras.Sequential([jkeras.Input((4,)), "
        "jkeras.layers.Dense(2)])\nmodel.compile('sgd', 'mse')\nmodel.fit(np.ones((64, 4)), "
        "np.ones((64, 2)), epochs=3);"
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    displays = [o for o in notebook.cells[0].outputs if o.output_type == "display_data"]
    assert len(displays) == 1 and displays[0]["data"]["text/plain"].count("Epoch") == 3


class Clock:
    """Time that passes only when a test says so."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now


def drawn(monkeypatch, stream, dispatches, steps, rows=None, verbose=1, columns=101):
    """What an epoch shows whose dispatches `(last step, seconds)` take these times."""
    clock, logs = Clock(), {"loss": 0.5}
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", stream)
    told = jkeras.callbacks.CallbackList(
        add_progbar=True, epochs=1, steps=steps, verbose=verbose, rows=rows
    )
    told.on_train_begin()
    told.on_epoch_begin(0)
    for last, seconds in dispatches:
        clock.now += seconds
        told.on_train_batch_end(last, logs)
    told.on_epoch_end(0, logs)
    monkeypatch.undo()
    return stream.getvalue()


@pytest.mark.promise("`ProgbarLogger` | the bar, the time left")
@pytest.mark.promise("the progress bar counts")
def test_time_left_and_throughput(monkeypatch):
    """The first dispatch compiles: its 90 seconds are in the total alone."""
    dispatches = [(1, 90.0), (3, 0.05), (5, 0.15), (7, 0.2), (9, 0.2)]
    lines = drawn(monkeypatch, Terminal(), dispatches, steps=10, rows=640).split("\r\x1b[2K")[1:]
    dash = " - loss: 0.5000"
    assert lines == [
        f" 2/10 {4 * '━'}{16 * '─'} 6:00 45s/step 1.42 rows/s{dash}",  # nothing else is known yet
        # the one before came too soon to be drawn
        f" 6/10 {12 * '━'}{8 * '─'} 0s 50ms/step 1.28k rows/s{dash}",
        f" 8/10 {16 * '━'}{4 * '─'} 0s 67ms/step 960 rows/s{dash}",
        f"10/10 {20 * '━'} 0s 75ms/step 853 rows/s{dash}",
        f"10/10 {20 * '━'} 1:30 75ms/step 853 rows/s{dash}\n",
    ]


@pytest.mark.promise("no longer than Keras's")
@pytest.mark.parametrize("columns", [80, 100, 101, 120])
def test_a_line_is_no_longer_than_keras_has_it(monkeypatch, columns):
    """Keras writes "10/10 ━━━━━━━━━━━━━━━━━━━━ 1:30 75ms/step - loss: 0.5000"."""
    dispatches = [(1, 90.0), (3, 0.05), (5, 0.15), (7, 0.2), (9, 0.2)]
    text = drawn(monkeypatch, Terminal(), dispatches, steps=10, rows=640, columns=columns)
    lines = text.split("\r\x1b[2K")[1:]
    if columns <= 100:
        assert lines[-1] == f"10/10 {20 * '━'} 1:30 75ms/step - loss: 0.5000\n"
        assert lines[0] == f" 2/10 {4 * '━'}{16 * '─'} 6:00 45s/step - loss: 0.5000"
    else:
        assert all("rows/s" in line for line in lines)


def test_what_does_not_fit_is_left_out(monkeypatch):
    for name, room in (("x" * 30, True), ("x" * 70, False)):
        monkeypatch.setattr(progress, "_values", lambda logs, name=name: f" - {name}: 0.5000")
        text = drawn(monkeypatch, Terminal(), [(0, 1.0)], steps=1, rows=32, columns=110)
        assert ("rows/s" in text) == room


def test_a_file_has_the_same_times(monkeypatch):
    text = drawn(monkeypatch, io.StringIO(), [(0, 4000.0), (4, 2.0)], steps=5, rows=10)
    assert text == "5/5 - 1:06:42 - 500ms/step - 4 rows/s - loss: 0.5000\n"


def test_without_a_length_nothing_is_foretold(monkeypatch):
    lines = drawn(monkeypatch, Terminal(), [(0, 1.0), (1, 2.0)], steps=None).split("\r\x1b[2K")[1:]
    assert lines[:2] == [
        "1/Unknown 1s 1s/step - loss: 0.5000",
        "2/Unknown 3s 2s/step - loss: 0.5000",
    ]
    assert lines[2] == "2/Unknown 3s 2s/step - loss: 0.5000\n"


def test_a_line_is_no_wider_than_the_terminal(monkeypatch):
    monkeypatch.setattr(progress, "_values", lambda logs: " - a: 1.0" * 20)
    first, *_, last = drawn(monkeypatch, Terminal(), [(0, 1.0), (1, 2.0)], steps=2).split(
        "\r\x1b[2K"
    )[1:]
    assert len(first) == 100 and len(last) > 200


def test_a_terminal_that_cannot_draw_lines(monkeypatch):
    class Plain(io.TextIOWrapper):
        def isatty(self):
            return True

        def getvalue(self):
            return self.buffer.getvalue().decode()

    text = drawn(
        monkeypatch,
        Plain(io.BytesIO(), encoding="cp1252", newline=""),
        [(0, 1.0), (1, 2.0)],
        steps=2,
    )
    assert text.split("\r\x1b[2K")[1:] == [
        f"1/2 {10 * '='}{10 * '.'} 1s 1s/step - loss: 0.5000",
        f"2/2 {20 * '='} 0s 2s/step - loss: 0.5000",
        f"2/2 {20 * '='} 3s 2s/step - loss: 0.5000\n",
    ]


def test_a_bar_shows_the_mean_of_several_numbers(capsys):
    bar = jkeras.utils.Progbar(2, verbose=2)
    bar.update(1, [("a", [0.0, 1.0]), ("b", np.array([1.0, 2.0])), ("c", 1.0)])
    bar.add(1, [("a", [2.0, 4.0]), ("b", np.array([1.0, 2.0])), ("c", 2.0)])
    assert capsys.readouterr().out.endswith(" - a: 3.0000 - b: 1.5000 - c: 2.0000\n")
