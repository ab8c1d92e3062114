"""Writes the measured figures of README.md and docs/ from benchmarks/RESULTS.md.

    python docs/make_figures.py [--check]

A page has `<!-- figures: begin NAME, by docs/make_figures.py -->`, what `BLOCKS[NAME]` makes of the
results, and `<!-- figures: end -->`. With --check nothing is written: exit status 1 says that a
page is out of date.
"""

import pathlib
import re
import sys
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
PAGES = [ROOT / "README.md", ROOT / "docs" / "performance.md", ROOT / "docs" / "saving.md"]
BLOCK = re.compile(
    r"(<!-- figures: begin (\w+), by docs/make_figures\.py -->\n\n).*?(\n\n<!-- figures: end -->)",
    re.DOTALL,
)

WORKS = {  # text: work in the table of targets
    "tiny MLP 32-32-10, batch 32": "tiny MLP",
    "MLP 784-512-512-10, batch 128": "MLP",
    "CNN 28x28, two convolutions, max pooling": "CNN",
    "depthwise-separable convolutions": "depthwise-separable",
    "LSTM 64, 80 steps": "LSTM",
    "transformer, two blocks": "transformer",
    "ResNet with BatchNorm": "ResNet",
    "`predict` of one row": "predict, one row",
    "`predict` of 1 … 8 rows, first calls": "predict, batches of 1 to 8",
    "`Dense`, called by hand": "Dense, eager",
    "`Sequential` of three, called by hand": "Sequential of three, eager",
    "`fit` at batch 1": "fit at batch 1",
    "an epoch from a memory map, shuffled": "memory map shuffled",
    "first `fit` on ragged data": "ragged fit",
    "start of the process to the first epoch, MLP": "process start to first epoch, tiny MLP",
    "the same, LSTM": "process start to first epoch, LSTM",
    "import": "import",
    "NASNetMobile, built with its weights": "NASNetMobile, built",
    "ResNet50, the same": "ResNet50, built",
}
SHORT = ("tiny", "CNN", "LSTM", "transformer", "`predict` of one", "`Dense`", "import")
OF_TORCH = ("CNN", "LSTM", "transformer")
FORMATS = {  # format: what it is compared with
    ".weights.h5": "h5py",
    ".keras": "h5py and zipfile",
    ".h5": "h5py",
    ".weights.json": "h5py",
    ".safetensors": "safetensors",
    ".npz": "numpy",
    "checkpoint": "orbax",
}
FORMS = {  # operation in the results: (computation, what is done on a CPU)
    "max pooling 2x2, 64x24x24x64, forward and gradient": (
        "max pooling, with its gradient",
        "the largest of shifted parts",
    ),
    "convolution 3x3, 64x26x26x32 -> 64, forward and gradients": (
        "convolution 3x3, 32 to 64 channels",
        "the weights' gradient a few images at a time",
    ),
    "convolution 3x3, 16x18x18x16 -> 16, two steps in a scan": (
        "convolution 3x3 inside of a `scan`",
        "image by image",
    ),
    "convolution 1x1, 32x32x32x32 -> 64, forward and gradients": (
        "convolution 1x1",
        "a matrix product",
    ),
    "depthwise 3x3, 32x24x24x32, forward and gradients": (
        "depthwise convolution",
        "sums of shifted products",
    ),
    "Dense 128 on 32x64x512, forward and gradients": (
        "product with a kernel that is higher than wide",
        "its gradient transposed",
    ),
    "exact GELU, 32x64x512, forward and gradient": (
        "exact GELU",
        "one polynomial, computed again for the gradient",
    ),
    "LSTM 64, 32x80, forward and weight gradients": (
        "LSTM",
        "both products inside the loop, the kernels' gradients after it",
    ),
    "cross-entropy of logits 128x10000, value and gradient": (
        "cross-entropy of logits, 10,000 classes",
        "by the logit that the label picks",
    ),
    "accuracy of 128x1000 scores": (
        "accuracy, `ops.argmax`: the largest of 1,000",
        "first the value, then the place",
    ),
    "six dropouts, 32x64x512": (
        "dropout, and all samples of `jkeras.random`",
        "the rounds of the random bits in one loop",
    ),
}


class Results:
    """The tables of benchmarks/RESULTS.md."""

    def __init__(self, text: str):
        self.targets = {}
        self.forms = {}
        for section in text.split("\n## "):
            title, _, body = section.partition("\n")
            rows = [_cells(line) for line in body.splitlines() if line.startswith("| ")]
            if title == "Targets":
                self.targets = {(row[0], row[1]): row[2:] for row in rows[1:]}
            elif title == "Forms by platform":
                self.forms = _grouped(rows[1:])

    def ratio(self, work: str, what: str) -> str:
        """The measured number with its range; empty where there is none."""
        if (work, what) not in self.targets:
            return ""
        return _ranged(self.targets[work, what][1])

    def missed(self) -> list[tuple[str, str, str, str]]:
        """(work, what, target, measured) of the targets that were not reached."""
        return [
            (work, what, target.removeprefix("<= "), measured)
            for (work, what), (target, measured, verdict) in self.targets.items()
            if verdict == "**not reached**"
        ]

    def form(self, operation: str) -> str:
        """What jkeras's form of an operation takes, relative to the plain one."""
        forms = self.forms[operation]
        return _ranged(forms.get("jkeras, as in fit", forms["jkeras"]))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def _grouped(rows: list[list[str]]) -> dict[str, dict[str, str]]:
    """{operation: {form: relative}} of a table that names an operation in its first row alone."""
    found = {}
    operation = ""
    for row in rows:
        operation = row[0] or operation
        found.setdefault(operation, {})[row[1]] = row[3]
    return found


def _ranged(text: str) -> str:
    """`0.26 (0.19 to 0.36)` of `0.26 (0.19..0.36)`; the number alone where all runs agree."""
    number, _, rest = text.partition(" (")
    low, _, high = rest.rstrip(")").partition("..")
    return number if low == high else f"{number} ({low} to {high})"


def _table(head: list[str], rows: list[list[str]], texts: int = 1) -> str:
    """A table in Markdown, whose first columns are texts and the others numbers."""
    marks = ["---"] * texts + ["---:"] * (len(head) - texts)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, marks, *rows])


def _row(results: Results, text: str, work: str) -> list[str]:
    beside = results.ratio(work, "time / jitted")
    if work == "import":
        beside = f"{results.ratio(work, 'time / jax and optax')} of jax + optax"
    compiles = results.targets.get((work, "compiles"))
    if compiles:
        beside = f"compiled programs: {compiles[1]}"
    return [text, results.ratio(work, "time / keras"), beside]


def speed(results: Results) -> str:
    """The table of README.md."""
    head = ["work", "of Keras's time", "of a hand-written jitted step's"]
    rows = [_row(results, text, work) for text, work in WORKS.items()]
    layers = results.ratio("1000 layers", "build and first step / keras")
    return _table(head, [*rows, ["1,000 layers, build and first step", layers, ""]])


def missed(results: Results) -> str:
    """Which targets were missed, and what was measured beside torch."""
    rows = results.missed()
    texts = [f"{w}, {what}: {_ranged(measured)}, aim {aim}" for w, what, aim, measured in rows]
    torch = [f"{work} {results.ratio(work, 'time / torch')}" for work in OF_TORCH]
    return (
        f"Of {len(results.targets)} ratios, {len(rows)} miss their aim:\n{'; '.join(texts)}.\n\n"
        f"Of torch's time, which has oneDNN: {', '.join(torch)}."
    )


def short(results: Results) -> str:
    """The table at the top of docs/performance.md."""
    head = ["work", "of Keras's time", "of a hand-written jitted step's"]
    works = {text: work for text, work in WORKS.items() if text.startswith(SHORT)}
    return _table(head, [_row(results, text, work) for text, work in works.items()])


def forms(results: Results) -> str:
    """The table of docs/performance.md of forms that are chosen by platform."""
    head = ["computation", "on a CPU", "measured, of the plain form's time"]
    rows = [[text, how, results.form(which)] for which, (text, how) in FORMS.items()]
    return _table(head, rows, texts=2)


def files(results: Results) -> str:
    """The table of docs/saving.md."""
    head = ["format", "beside", "written, of its time", "read, of its time"]
    rows = []
    for name, plain in FORMATS.items():
        what = f"wall time / {plain}"
        save, load = (results.ratio(f"200 MB as {name}, {way}", what) for way in ("save", "load"))
        rows.append([f"`{name}`", plain, save, load])
    return _table(head, rows, texts=2)


BLOCKS: dict[str, Callable[[Results], str]] = {
    "speed": speed,
    "missed": missed,
    "short": short,
    "forms": forms,
    "files": files,
}


def written(text: str, results: Results) -> str:
    """A page with its blocks written anew."""
    return BLOCK.sub(lambda found: found[1] + BLOCKS[found[2]](results) + found[3], text)


def main(arguments: list[str]) -> None:
    """Writes the pages, or says which are out of date."""
    results = Results(RESULTS.read_text())
    stale = []
    for path in PAGES:
        text = path.read_text()
        new = written(text, results)
        if new != text:
            stale.append(str(path.relative_to(ROOT)))
            if "--check" not in arguments:
                path.write_text(new)
    if "--check" in arguments and stale:
        sys.exit(f"out of date: {', '.join(stale)}: run python docs/make_figures.py")


if __name__ == "__main__":
    main(sys.argv[1:])
