"""docs/callbacks.md: its programs run, and its table has every callback and what it says of batches."""

import pathlib
import re

import jkeras
from jkeras import callbacks

TEXT = (pathlib.Path(jkeras.__file__).parents[1] / "docs" / "callbacks.md").read_text()


def test_programs_run():
    names = {}
    for program in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(program, names)
    assert 1e-7 < names["found"].suggestion < 10
    losses = [loss for _, loss in names["remember"].losses]
    assert losses and losses[-1] < losses[0]


def asks(callback):
    return callbacks.CallbackList([callback]).looks_at_batches("train")


def test_table(tmp_path):
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", TEXT, re.M))
    assert sorted(rows) == callbacks.__all__
    plain = {"BackupAndRestore": [tmp_path], "CSVLogger": [tmp_path / "a"], "LearningRateScheduler": [float],
             "ModelCheckpoint": ["m.keras"], "OrbaxCheckpoint": [tmp_path], "ProfilerTrace": [tmp_path]}
    more = {"LambdaCallback": dict(on_test_batch_end=None, on_batch_end=print),
            "ModelCheckpoint": dict(save_freq=2), "OrbaxCheckpoint": dict(save_freq=2),
            "TensorBoard": dict(update_freq=2)}
    for name, text in rows.items():
        made = getattr(callbacks, name)
        assert asks(made(*plain.get(name, ()))) == text.startswith("yes"), name
        assert (name in more) == text.startswith("with "), name
        assert asks(made(*plain.get(name, ()), **more.get(name, {}))) == (not text.startswith(("no", "where"))), name
