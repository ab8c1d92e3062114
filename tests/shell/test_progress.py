"""What `fit` shows: a bar on a terminal, one display in a notebook, one line for each epoch in a file."""

import io
import re
import sys

import nbclient
import nbformat
import numpy as np
import pytest

import jkeras

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


def test_a_file_gets_one_line_for_each_epoch(monkeypatch):
    text = shown(monkeypatch, io.StringIO(), lambda: small().fit(X, Y, epochs=3, validation_split=0.25))
    lines = text.splitlines()
    assert len(lines) == 3 and "\x1b" not in text and "\r" not in text
    for i, line in enumerate(lines):
        assert re.fullmatch(rf"Epoch {i + 1}/3 - 2/2 - \d+s - loss: [\d.e-]+ - mae: [\d.e-]+ - val_loss: [\d.e-]+ - "
                            r"val_mae: [\d.e-]+", line)


def test_a_terminal_gets_a_bar_that_is_drawn_in_place(monkeypatch):
    text = shown(monkeypatch, Terminal(), lambda: small().fit(X, Y, epochs=2))
    assert text.count("\n") == 4 and "Epoch 2/2\n" in text
    assert re.search(r"\r\x1b\[2K2/2 ━{20} \d+s .*step - loss: .* - mae: ", text)


@pytest.mark.parametrize("verbose, lines", [(0, 0), (2, 1)])
def test_verbose(monkeypatch, verbose, lines):
    text = shown(monkeypatch, Terminal(), lambda: small().fit(X, Y, verbose=verbose))
    assert text.count("\n") == lines and "━" not in text


def test_logging_can_be_made_plain_for_the_session(monkeypatch):
    jkeras.config.disable_interactive_logging()
    text = shown(monkeypatch, Terminal(), lambda: small().evaluate(X, Y))
    assert re.fullmatch(r"2/2 - \d+s - loss: .* - mae: .*\n", text)


def test_a_notebook_has_one_display_that_is_updated():
    code = ("import numpy as np, jkeras\nmodel = jkeras.Sequential([jkeras.Input((4,)), jkeras.layers.Dense(2)])\n"
            "model.compile('sgd', 'mse')\nmodel.fit(np.ones((64, 4)), np.ones((64, 2)), epochs=3);")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=300).execute()
    displays = [o for o in notebook.cells[0].outputs if o.output_type == "display_data"]
    assert len(displays) == 1 and displays[0]["data"]["text/plain"].count("Epoch") == 3
