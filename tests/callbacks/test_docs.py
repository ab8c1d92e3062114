"""docs/callbacks.md: its table has every callback and what it says of batches."""

import pathlib
import re

import jkeras
from jkeras import callbacks
import pytest

TEXT = (pathlib.Path(jkeras.__file__).parents[1] / "docs" / "callbacks.md").read_text()


def asks(callback):
    return callbacks.CallbackList([callback]).looks_at_batches("train")


@pytest.mark.promise("| callback | what it does | asks for every batch |")
@pytest.mark.promise("The third column says which of them make `fit`")
@pytest.mark.promise("a callback looks at each batch.")
def test_table(tmp_path):
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, re.M))
    assert sorted(rows) == callbacks.__all__
    plain = {
        "BackupAndRestore": [tmp_path],
        "CSVLogger": [tmp_path / "a"],
        "LearningRateScheduler": [float],
        "ModelCheckpoint": ["m.keras"],
        "OrbaxCheckpoint": [tmp_path],
        "ProfilerTrace": [tmp_path],
        "Tracker": [print],
    }
    more = {
        "LambdaCallback": dict(on_test_batch_end=None, on_batch_end=print),
        "ModelCheckpoint": dict(save_freq=2),
        "OrbaxCheckpoint": dict(save_freq=2),
        "TensorBoard": dict(update_freq=2),
    }
    for name, text in rows.items():
        made = getattr(callbacks, name)
        assert asks(made(*plain.get(name, ()))) == text.startswith("yes"), name
        assert (name in more) == text.startswith("with "), name
        assert asks(made(*plain.get(name, ()), **more.get(name, {}))) == (
            not text.startswith(("no", "where"))
        ), name
