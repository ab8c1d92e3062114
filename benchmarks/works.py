"""What is measured: for each work its network, the sizes of its data, and how much of it one round
does.
"""

import dataclasses
import json

import numpy as np

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
        softmax: whether Keras's model ends in one (other peers compute their loss from logits).
        steps, epochs: what a round does; with "predict" and "eager", `steps` calls.
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
    vocabulary: int | None = None
    softmax: bool = False
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
        counts = {"fit": self.steps * self.epochs, "predict": self.steps, "eager": self.steps}
        return counts.get(self.kind, 1)

    @property
    def fresh(self):
        """Whether every round builds a model of its own, so that a round has its compiling."""
        return self.kind in ("ragged", "sizes", "build", "start")

    def data(self):
        """(x, y) on the host, the same for every peer."""
        rng = np.random.default_rng(0)
        shape = self.rows, *self.shape
        x = (
            rng.normal(size=shape).astype("float32")
            if self.vocabulary is None
            else rng.integers(0, self.vocabulary, shape, dtype="int32")
        )
        return x, rng.integers(0, self.classes, self.rows, dtype="int32")

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


def _mlp(name, title, shape, units, **kwargs):
    return Work(name, title, "mlp", (shape,), units=units, **kwargs)


def _wide(count):
    """Two layers that together have about `count` parameters."""
    width = round((count / 2) ** 0.5)
    return _mlp(
        f"params{count:.0e}".replace("+0", ""),
        f"two layers with {count:,} parameters",
        width,
        (width,),
        classes=width,
        batch=8,
        steps=min(50, max(2, int(1e8 / count))),
        peers=FEW,
    )


def _eager(name, title):
    return Work(name, title, name, (32,), kind="eager", steps=200, peers=("jkeras", "keras"))


def _application(name):
    title = f"{name}, built, its weights drawn"
    return Work(name, title, name, (), kind="build", peers=("jkeras", "keras"))


TINY = dict(shape=32, units=(32,))
WORKS = {
    work.name: work
    for work in [
        _mlp("tiny", "tiny MLP (32-32-10, batch 32)", **TINY, steps=100, epochs=4),
        _mlp("mlp", "MLP 784-512-512-10, batch 128", 784, (512, 512), batch=128, steps=20),
        Work(
            "cnn",
            "CNN 28x28, two convolutions and max pooling, batch 64",
            "cnn",
            (28, 28, 1),
            batch=64,
            steps=4,
            peers=UNROLLED,
        ),
        Work(
            "separable",
            "depthwise-separable convolutions, batch 32",
            "separable",
            (24, 24, 3),
            steps=4,
            peers=UNROLLED,
        ),
        Work(
            "resnet",
            "small ResNet with BatchNorm, batch 32",
            "resnet",
            (32, 32, 3),
            steps=3,
            peers=UNROLLED,
        ),
        Work("lstm", "LSTM 64 (80 steps, batch 32)", "lstm", (80,), vocabulary=5000),
        Work(
            "transformer",
            "transformer, 2 blocks of 128 (64 steps, batch 32)",
            "transformer",
            (64, 128),
            steps=5,
        ),
        _mlp(
            "softmax",
            "10,000 classes, batch 128, the model ends in a softmax",
            64,
            (64,),
            classes=10_000,
            softmax=True,
            batch=128,
            steps=20,
        ),
        _mlp("batch1", "fit at batch 1 (32-32-10)", **TINY, batch=1, steps=400),
        _mlp(
            "predict1",
            "predict, one row (32-32-10)",
            **TINY,
            kind="predict",
            steps=200,
            peers=UNROLLED,
        ),
        _mlp(
            "sizes",
            "predict, first calls on batches of 1 to 8 (32-32-10)",
            **TINY,
            kind="sizes",
            peers=FEW,
        ),
        _mlp(
            "ragged",
            "first fit on ragged data (32-32-10)",
            **TINY,
            kind="ragged",
            steps=3,
            epochs=2,
            peers=FEW,
        ),
        _mlp(
            "start_tiny",
            "process start to the end of the first epoch (32-32-10)",
            **TINY,
            kind="start",
            peers=FEW,
        ),
        Work(
            "start_lstm",
            "process start to the end of the first epoch (LSTM 64, 20 steps)",
            "lstm",
            (20,),
            vocabulary=1000,
            kind="start",
            peers=FEW,
        ),
        _eager("dense", "Dense called eagerly (32-32)"),
        _eager("sequential", "Sequential of three called eagerly (32-32-32-10)"),
        _eager("apply", "`apply` outside jit, Sequential of three (32-32-32-10)"),
        *[_application(n) for n in ("NASNetMobile", "ResNet50", "EfficientNetB0")],
        *[
            _mlp(f"depth{n}", f"{n:,} layers of 16", 16, (16,) * (n - 1), steps=10, peers=FEW)
            for n in (10, 100, 1000)
        ],
        *[_wide(n) for n in (10**4, 10**5, 10**6, 10**7, 10**8)],
    ]
}

# One of each kind, with little to compile: what a look at whether everything runs does.
QUICK = ("tiny", "cnn", "predict1", "sizes", "ragged", "start_tiny", "dense", "depth10")
