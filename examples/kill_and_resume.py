"""A training is killed in the middle of an epoch, started again, and ends with the bits of one that
never was.

The program starts itself. One word makes a training go on where it was:
`fit(..., checkpoint=folder)`. It covers what a saved model does not: dropout's and shuffling's
random numbers, the optimizer, the place in the data, callbacks. Run it with
`python examples/kill_and_resume.py`.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile

import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits


class PullThePlug(jkeras.callbacks.Callback):
    """Ends the process after some step, as a power failure would: no handler, no cleaning up."""

    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def train(folder, epochs, killed_at):
    """Trains with checkpoints in a folder, and writes the final weights there too."""
    jkeras.utils.set_random_seed(0)
    (x, y), _ = digits.load_data()
    model = jkeras.Sequential(
        [
            jkeras.Input((8, 8)),
            layers.Rescaling(1 / 16),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    checkpoint = jkeras.saving.Checkpointer(folder / "checkpoints", every=20)  # steps
    model.fit(
        x,
        y,
        batch_size=64,
        epochs=epochs,
        verbose=0,
        checkpoint=checkpoint,
        callbacks=[PullThePlug(killed_at)] if killed_at else [],
    )
    np.savez(
        folder / "end.npz", *model.get_weights(), *[v.value for v in model.optimizer.variables]
    )


def run(folder, epochs, killed_at=0):
    """`train` in a process of its own; what it exits with."""
    return subprocess.run(
        [sys.executable, __file__, folder, str(epochs), str(killed_at)], check=False
    ).returncode


def main(epochs=8, kills=(50, 70)):
    """Trains once in peace and once with kills; prints and returns how many arrays there are, and
    how many differ.
    """
    with tempfile.TemporaryDirectory() as folder:
        peaceful, troubled = pathlib.Path(folder, "peaceful"), pathlib.Path(folder, "troubled")
        assert run(peaceful, epochs) == 0
        for step in kills:
            code = run(troubled, epochs, step)
            saved = max(
                int(path.name)
                for path in (troubled / "checkpoints").iterdir()
                if path.name.isdigit()
            )
            print(
                f"killed after {step} steps (exit code {code}); the newest checkpoint is of step "
                f"{saved}"
            )
        assert run(troubled, epochs) == 0
        ends = [dict(np.load(path / "end.npz")) for path in (peaceful, troubled)]
    differ = [name for name in ends[0] if ends[0][name].tobytes() != ends[1][name].tobytes()]
    print(
        f"{len(ends[0])} arrays of weights and optimizer at the end, {len(differ)} of them differ"
    )
    return len(ends[0]), len(differ)


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        train(pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
