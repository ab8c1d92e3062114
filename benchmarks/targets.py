"""The table of what jkeras must reach, from measured results: what each row came to, and whether it
is enough.
"""

import collections
import statistics

from benchmarks.files import FORMATS, SHOWN
from benchmarks.works import WORKS

Target = collections.namedtuple("Target", "title what against limit of", defaults=["time"])
Found = collections.namedtuple("Found", "target value low high")  # value None: not measured
Ratio = collections.namedtuple("Ratio", "median low high")

BASE = "jax and optax"

# What is compared with another peer, or is a number of its own where that is None. "time" is of a
# usual round, "first" of the first of a process, "start" of building and the first.
OF = {
    "time": "time",
    "first": "first time",
    "start": "build and first step",
    "alone": "time, weights not drawn",
    "peak": "peak memory",
    "wall": "wall time",
    "compiles": "compiles",
}
BUILT = ("NASNetMobile", "ResNet50", "EfficientNetB0")
TARGETS = [
    Target(*row)
    for row in [
        ("tiny MLP", "tiny", "keras", 0.10),
        ("tiny MLP", "tiny", "jitted", 0.25),
        ("tiny MLP", "tiny", "torch", 1.0),
        ("MLP", "mlp", "keras", 0.95),
        ("MLP", "mlp", "jitted", 1.0),
        ("MLP", "mlp", "torch", 1.0),
        ("CNN", "cnn", "keras", 0.50),
        ("CNN", "cnn", "jitted", 0.50),
        ("CNN", "cnn", "torch", 1.0),
        ("depthwise-separable", "separable", "keras", 0.50),
        ("depthwise-separable", "separable", "torch", None),
        ("LSTM", "lstm", "keras", 0.85),
        ("LSTM", "lstm", "jitted", 0.95),
        ("LSTM", "lstm", "torch", 1.0),
        ("transformer", "transformer", "keras", 0.90),
        ("transformer", "transformer", "jitted", 0.95),
        ("transformer", "transformer", "torch", 1.15),
        ("ResNet", "resnet", "keras", 0.90),
        ("ResNet", "resnet", "jitted", 0.95),
        ("ResNet", "resnet", "torch", None),
        ("predict, one row", "predict1", "keras", 0.08),
        ("predict, one row", "predict1", "jitted", 1.3),
        ("predict, batches of 1 to 8", "sizes", "keras", 0.5),
        ("predict, batches of 1 to 8", "sizes", None, 4, "compiles"),
        ("fit at batch 1", "batch1", "keras", 0.15),
        ("fit at batch 1", "batch1", "jitted", 0.35),
        ("ragged fit", "ragged", "keras", 0.7),
        ("ragged fit", "ragged", None, 1, "compiles"),
        ("import", "import", "keras", 0.45),
        ("import", "import", BASE, 1.15),
        ("1000 layers", "depth1000", "keras", 0.4, "start"),
        ("process start to first epoch, tiny MLP", "start_tiny", "keras", 0.5),
        ("process start to first epoch, tiny MLP", "start_tiny", None, 5, "compiles"),
        ("process start to first epoch, LSTM", "start_lstm", "keras", 0.5),
        ("process start to first epoch, LSTM", "start_lstm", None, 5, "compiles"),
        ("memory map in order", "mapped", "keras", 0.5),
        ("memory map shuffled", "mapped_shuffled", "keras", 0.5),
        ("Dense, eager", "dense", "keras", 0.3),
        ("Sequential of three, eager", "sequential", "keras", 0.3),
        ("apply outside jit", "apply", "keras", 0.3),
        *[(f"{name}, built", name, "keras", 0.7, of) for name in BUILT for of in ("time", "first")],
        *[(f"{name}, built", name, "keras", None, "alone") for name in BUILT],
        *[
            (f"200 MB as {form}, {what}", f"{what} {form}", library, 1.0, "wall")
            for form, library in FORMATS.items()
            for what in ("save", "load")
        ],
        *[
            (f"200 MB as {form}, {what}", f"{what} {form}", library, None, "wall")
            for form, library in SHOWN.items()
            for what in ("save", "load")
        ],
        *[
            (work.title, work.name, "jitted", 1.05, "peak")
            for work in WORKS.values()
            if work.kind in ("fit", "epoch", "predict") and "jitted" in work.peers
        ],
    ]
]


# Where the time goes, as profiled: printed with a work that misses a target, or that torch does
# faster.
WHY = {
    "tiny": 'the least that XLA takes for it is in the row "scanned" below; a step of `fit` takes '
    "that, a share of the half millisecond that a `fit` costs once, and for each epoch a quarter "
    "of one: the call of the compiled function with 25 arrays, the order of the rows, the logs. "
    "Called again and again in one process it takes 0.24 of the jitted loop.",
    "mlp": "the products of matrices are the step, and they are the same for all: side by side "
    "in one process a `fit` took 0.99 of the hand-written loop.",
    "cnn": "convolutions in XLA:CPU are most of the step; torch's are oneDNN's.",
    "resnet": "convolutions in XLA:CPU; in their plain form the step costs what Keras's does, "
    "and a dispatch, all that `fit` could save, is under 1 ms of it.",
    "lstm": "the loop over time is XLA's for every peer but torch: a hand-written scan over all "
    "steps, which has no dispatch at all, takes as long as the jitted step.",
    "transformer": "what is left are matrix products: four fifths of the step, each as quick as "
    "XLA:CPU computes it alone.",
    "predict1": "a call of the compiled function from Python is five sixths of it, so that a round "
    "which another process disturbs counts; in one process it takes 1.28 of the jitted call.",
    "sizes": "the time is that of compiling, three programs against eight, and of reading the "
    "jaxpr.",
    "ragged": "one program is compiled where Keras compiles two; nine tenths of the time are XLA's "
    "for it, since a loop, and rows that do not count, are more than a step.",
    "rows1000000": "the order of the rows is in memory, which the hand-written loop has none of.",
    "rows10000000": "the order of the rows is in memory, and a few chunks of them.",
    "save .weights.h5": "the file has Keras's layout, a group with attributes for each layer, and "
    "a sum of each array, which plain h5py does not make.",
    "save .keras": "zip files have a checksum of their whole content, which h5py alone does not "
    "make.",
    "load .keras": "the checksum of its whole content is compared.",
    "save .h5": 'as "save .weights.h5".',
    "save .weights.json": 'as "save .weights.h5".',
    "load .weights.json": "sums of each array are compared.",
    "save checkpoint": "sums of its files, with which they are compared when they are read.",
    "load checkpoint": "the sums of its files are compared.",
}


def usual(one, key):
    """The median of what the rounds took, in seconds, or None."""
    return statistics.median(r[key] for r in one["rounds"]) if one.get("rounds") else None


def ratio(found, peer, base, key="cpu_s"):
    """The `Ratio` of two peers of a work, from rounds that ran side by side; None where one is
    missing.
    """
    pairs = list(zip(found.get(peer, {}).get("rounds", []), found.get(base, {}).get("rounds", [])))
    ratios = [a[key] / b[key] for a, b in pairs]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


def start(found, peer):
    """Processor seconds of a peer's build and first round, or None."""
    one = found.get(peer, {})
    return one["build"]["cpu_s"] + one["first"]["cpu_s"] if "first" in one else None


def first(found, peer):
    """Processor seconds of a peer's first round in a process, or None."""
    one = found.get(peer, {})
    return one["first"]["cpu_s"] if "first" in one else None


def peak(found, peer):
    """The largest memory of a peer's process, or None."""
    return found.get(peer, {}).get("peak_mb")


def compiles(found, peer):
    """The most programs that a round compiled, or None."""
    return max((r["compiles"] for r in found.get(peer, {}).get("rounds", [])), default=None)


ONCE = {"start": start, "first": first, "peak": peak, "compiles": compiles}
BY_ROUND = {"time": "cpu_s", "wall": "wall_s", "alone": "alone_s"}


def value_of(target, works):
    """The `Ratio` that a target is about, or None."""
    found = works.get(target.what, {})
    if target.of in BY_ROUND:
        return ratio(found, "jkeras", target.against, BY_ROUND[target.of])
    mine = ONCE[target.of](found, "jkeras")
    base = 1 if target.against is None else ONCE[target.of](found, target.against)
    return Ratio(*[mine / base] * 3) if mine is not None and base else None


def compare(works):
    """A `Found` for each target. `works` is what was measured, with the imports as the work
    "import".
    """
    return [Found(target, *(value_of(target, works) or (None, None, None))) for target in TARGETS]


def reached(found):
    """True or False; None where nothing was measured, or nothing is demanded."""
    if found.value is None or found.target.limit is None:
        return None
    return found.value <= found.target.limit
