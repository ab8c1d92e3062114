"""What is measured, by name; and which works are one thing in several sizes."""

import dataclasses

from benchmarks.work import FEW, UNROLLED, Work


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


def _mapped(name, order, **kwargs):
    title = f"an epoch of a memory map {order}, MLP 128-32-2, batch 512"
    return _mlp(name, title, 128, (32,), classes=2, batch=512, mapped=True, peers=FEW, **kwargs)


def _rows(count):
    """Beyond a million rows in a memory map."""
    title = f"an epoch of {count:,} rows (32-32-10, batch 500)"
    sizes = dict(batch=500, steps=count // 500, mapped=count > 10**6)
    return _mlp(f"rows{count}", title, **TINY, **sizes, kind="epoch", peers=FEW)


def _classes(count):
    title = f"{count:,} classes (64-64-{count:,}, batch 128)"
    return _mlp(f"classes{count}", title, 64, (64,), classes=count, batch=128, peers=FEW)


def _lstm_of(length):
    title = f"LSTM 64 ({length} steps, batch 8)"
    sizes = dict(vocabulary=1000, batch=8, steps=10)
    return Work(f"lstm{length}", title, "lstm", (length,), **sizes, peers=FEW)


def _transformer_of(length):
    title = f"transformer, 2 blocks of 128 ({length} steps, batch 2)"
    shape = length, 128
    return Work(f"transformer{length}", title, "transformer", shape, batch=2, steps=5, peers=FEW)


def _eager(name, title):
    return Work(name, title, name, (32,), kind="eager", steps=200, peers=("jkeras", "keras"))


def _application(name):
    title = f"{name}, built, its weights drawn"
    return Work(name, title, name, (), kind="build", peers=("jkeras", "keras"))


TINY = dict(shape=32, units=(32,))
DEPTHS = 10, 100, 1000
PARAMETERS = 10**4, 10**5, 10**6, 10**7, 10**8
ROWS = tuple(10**n for n in range(3, 8))
CLASSES = 10, 100, 1000, 10_000
LENGTHS = 16, 64, 256, 1024
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
            for n in DEPTHS
        ],
        *[_wide(n) for n in PARAMETERS],
        _mapped("mapped", "in order", kind="epoch", steps=400_000 // 512, shuffle=False),
        _mapped("mapped_shuffled", "shuffled", kind="epoch", steps=400_000 // 512),
        *map(_rows, ROWS),
        *map(_classes, CLASSES),
        *map(_lstm_of, LENGTHS),
        *map(_transformer_of, LENGTHS),
    ]
}

# What grows: {its size: name of the work}.
GROWTH = {
    "layers": {n: f"depth{n}" for n in DEPTHS},
    "rows": {n: f"rows{n}" for n in ROWS},
    "width of two layers": {_wide(n).shape[0]: _wide(n).name for n in PARAMETERS},
    "classes": {n: f"classes{n}" for n in CLASSES},
    "sequence of an LSTM": {n: f"lstm{n}" for n in LENGTHS},
    "sequence of a transformer": {n: f"transformer{n}" for n in LENGTHS},
}

# With the newest JAX.
NEWEST = ("tiny", "mlp", "lstm", "transformer", "predict1")

# One of each kind, with little to compile: what a look at whether everything runs does.
QUICK = (
    "tiny",
    "cnn",
    "predict1",
    "sizes",
    "ragged",
    "start_tiny",
    "dense",
    "mapped",
    "depth10",
)


def with_rows(work, rows):
    """A work on a memory map, with another number of rows."""
    return dataclasses.replace(work, steps=rows // work.batch)
