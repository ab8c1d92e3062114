"""A work: its network, the sizes of its data, and how much of it one round does."""

import dataclasses
import json

import numpy as np

from benchmarks import mapped

ALL = ("jkeras", "keras", "jitted", "scanned", "nnx", "equinox", "torch")
FEW = ("jkeras", "keras", "jitted")
# XLA:CPU computes convolutions in a loop 20 to 40 times slower
UNROLLED = tuple(p for p in ALL if p != "scanned")


@dataclasses.dataclass(frozen=True)
class Work:
    """A row of the tables.

    Args:
        network: which one, as every file of `peers/` has it.
        kind: what a round does, one of `worker.KINDS`.
        shape: of one row.
        units: widths of the hidden layers of the network "mlp".
        vocabulary: rows are numbers below it; None: rows are floats.
        answers: shape of the classes of one row, as one of each token; (): it is of one class.
        softmax: whether Keras's model ends in one (other peers compute their loss from logits).
        steps, epochs: what a round does; with "predict" and "eager", `steps` calls.
        shuffle: whether an epoch has the rows in another order than the last.
        mapped: whether the rows are in a memory map of a file.
        unroll: how many steps in time the hand-written LSTM has in one pass of its loop.
    """

    name: str
    title: str
    network: str
    shape: tuple
    batch: int = 32
    steps: int = 20
    epochs: int = 1
    kind: str = "fit"
    units: tuple = ()
    classes: int = 10
    answers: tuple = ()
    vocabulary: int | None = None
    softmax: bool = False
    shuffle: bool = True
    mapped: bool = False
    unroll: int = 1
    peers: tuple = ALL

    @classmethod
    def read(cls, text):
        """The work that was written as JSON."""
        fields = json.loads(text)
        return cls(**{k: tuple(v) if isinstance(v, list) else v for k, v in fields.items()})

    @property
    def rows(self):
        """How many rows the data has; those of "ragged" do not fill the last batch."""
        return self.batch * self.steps + (self.batch // 8 if self.kind == "ragged" else 0)

    @property
    def count(self):
        """What a round's time is divided by."""
        steps = self.steps * self.epochs
        counts = {"fit": steps, "epoch": self.epochs, "predict": self.steps, "eager": self.steps}
        return counts.get(self.kind, 1)

    @property
    def fresh(self):
        """Whether every round builds a model of its own, so that a round has its compiling."""
        return self.kind in ("ragged", "sizes", "build", "start")

    def data(self):
        """(x, y) on the host, the same for every peer."""
        rng = np.random.default_rng(0)
        shape, answers = (self.rows, *self.shape), (self.rows, *self.answers)
        if self.mapped:
            return mapped.rows(*shape), rng.integers(0, self.classes, answers, dtype="int32")
        x = (
            rng.normal(size=shape).astype("float32")
            if self.vocabulary is None
            else rng.integers(0, self.vocabulary, shape, dtype="int32")
        )
        return x, rng.integers(0, self.classes, answers, dtype="int32")

    def small(self):
        """The same with little to do, for a look at whether everything runs."""
        small = {
            "cnn": (8, 8, 1),
            "separable": (8, 8, 3),
            "resnet": (8, 8, 3),
            "lstm": (5,),
            "transformer": (5, 128),
        }
        return dataclasses.replace(
            self,
            batch=min(self.batch, 8),
            steps=2,
            epochs=1,
            shape=small.get(self.network, self.shape),
            units=tuple(min(n, 100) for n in self.units[:3]),
        )
