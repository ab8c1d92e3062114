"""Writes the measured figures of the pages: README.md, examples/README.md and docs/.

    python docs/make_figures.py [--check]

They come from benchmarks/RESULTS.md, from benchmarks/figures, which has a file of each script that
measures for a page, and from docs/assets, what the programs of examples/ and notebooks printed. A
page has `<!-- figures: begin NAME, by docs/make_figures.py -->`, what `BLOCKS[NAME]` makes of the
results, and `<!-- figures: end -->`. With --check nothing is written: exit status 1 says that a
page is out of date.
"""

import functools
import json
import pathlib
import re
import sys
from collections.abc import Callable
from typing import Any

from reached import EXAMPLES, NOTEBOOKS
from recorded import sections

from jkeras.saving.hugging_face.architectures import ARCHITECTURES
from jkeras.saving.hugging_face.converted import TYPES
from jkeras.saving.hugging_face.native.families import FAMILIES
from jkeras.saving.hugging_face.native.of_hub import WRITTEN

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "RESULTS.md"
FIGURES = ROOT / "benchmarks" / "figures"
PRINTED = ROOT / "docs" / "assets"
PAGES = [
    ROOT / "README.md",
    RESULTS,
    ROOT / "examples" / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "compatibility",
            "data-at-rate",
            "explain",
            "language-models",
            "laplace",
            "performance",
            "pretrained",
            "privacy",
            "records",
            "saving",
            "scaling",
            "shipping",
            "testing",
            "uncertainty",
            "decisions/0008-the-kernel-of-values",
        )
    ),
]
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
SHORT = ("tiny", "CNN", "LSTM", "transformer", "`predict` of one", "import")
OF_TORCH = ("CNN", "LSTM", "transformer")
SAVED = re.compile(r"200 MB as (\S+), save")
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

BACKBONES = {  # models of transformers: (model type, backbone), the largest of their differences
    ("llama", "llama-scaled"): ("`llama`, with Llama 3's scaled positions too", "Llama3Backbone"),
    ("gpt2",): ("`gpt2`", "GPT2Backbone"),
    ("gemma",): ("`gemma`", "GemmaBackbone"),
    ("qwen2", "qwen2-tied"): ("`qwen2`", "QwenBackbone"),
    ("mistral",): ("`mistral`", "MistralBackbone"),
    ("qwen3",): ("`qwen3`", "Qwen3Backbone"),
    ("bert",): ("`bert`", "BertBackbone"),
}


class Results:
    """The tables of benchmarks/RESULTS.md, and what scripts measured for single pages.

    Args:
        text: of the former.
        measured: of each script and part, what `benchmarks.kept.keep` wrote.
    """

    def __init__(self, text: str, measured: dict | None = None):
        self.measured = measured or {}
        self.targets = {}
        self.forms = {}
        for section in text.split("\n## "):
            title, _, body = section.partition("\n")
            rows = [_cells(line) for line in body.splitlines() if line.startswith("| ")]
            if title == "Targets":
                self.targets = {(row[0], row[1]): row[2:] for row in rows[1:]}
            elif title == "Forms by platform":
                self.forms = _grouped(rows[1:])

    @classmethod
    def read(cls) -> "Results":
        """Those of this checkout."""
        files = {path.stem: json.loads(path.read_text()) for path in FIGURES.glob("*.json")}
        return cls(RESULTS.read_text(), files)

    def found(self, script: str, part: str) -> Any:
        """What a script measured."""
        return self.measured[script][part]["found"]

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
    """The table of docs/performance.md."""
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
    """The table of README.md."""
    head = ["work", "of Keras's time", "of a hand-written jitted step's"]
    works = {text: work for text, work in WORKS.items() if text.startswith(SHORT)}
    return _table(head, [_row(results, text, work) for text, work in works.items()])


def forms(results: Results) -> str:
    """The table of docs/performance.md of forms that are chosen by platform."""
    head = ["computation", "on a CPU", "measured, of the plain form's time"]
    rows = [[text, how, results.form(which)] for which, (text, how) in FORMS.items()]
    return _table(head, rows, texts=2)


def files(results: Results) -> str:
    """The table of docs/saving.md: each format beside what its target names."""
    head = ["format", "beside", "written, of its time", "read, of its time"]
    beside = {}
    for work, what in results.targets:
        if saved := SAVED.fullmatch(work):
            beside.setdefault(saved[1], what.removeprefix("wall time / "))
    rows = []
    for name, plain in beside.items():
        what = f"wall time / {plain}"
        save, load = (results.ratio(f"200 MB as {name}, {way}", what) for way in ("save", "load"))
        rows.append([f"`{name}`", plain, save, load])
    return _table(head, rows, texts=2)


# ---------------------------------------------------------------- what scripts measure for pages


def mib(size: int) -> str:
    """Bytes in MiB; nothing of none."""
    return f"{size / 2**20:,.0f} MiB" if size else ""


def gib(size: int) -> str:
    """Bytes in GiB."""
    return f"{size / 2**30:.1f} GiB"


def power(number: float) -> str:
    """A small number by its power of ten."""
    return f"{number:.0e}".replace("e-0", "e-")


def about(measured: dict) -> str:
    """A ratio with its range."""
    median, low, high = (f"{measured[name]:.2g}" for name in ("median", "low", "high"))
    return f"{median} ({low} to {high})"


def examples(results: Results) -> str:
    """The table of examples/README.md."""
    rows = []
    for name, (idea, reaches, where) in EXAMPLES.items():
        rows.append([f"`{name}.py`", idea, _reached(f"examples/{name}.txt", reaches, where)])
    return _table(["file", "idea", "reaches"], rows, texts=3)


def notebooks(results: Results) -> str:
    """The table of the notebooks in examples/README.md."""
    rows = []
    for name, (idea, reaches, where, published) in NOTEBOOKS.items():
        found = _reached(f"notebooks/{name}.txt", reaches, where)
        rows.append([f"`colab/{name}.ipynb`", idea, found, published])
    return _table(["notebook", "idea", "reaches", "published"], rows, texts=4)


def _reached(printed: str, reaches: str, where: str) -> str:
    """A text with the numbers of what was printed."""
    numbers = re.search(where, (PRINTED / printed).read_text()).groups()
    return reaches.format(*(number.strip(",;]") for number in numbers))


def packages(results: Results) -> str:
    """The table of docs/compatibility.md."""
    counts = "passed / failed / skipped"
    rows = []
    for part in results.measured["packages"]:
        one = results.found("packages", part)
        both = (" / ".join(map(str, one[which])) for which in ("keras", "jkeras"))
        rows.append([one["package"], one["what"], *both])
    return _table(["package", "what runs", f"Keras: {counts}", f"jkeras: {counts}"], rows, texts=4)


def structure(results: Results) -> str:
    """The table of decision 8."""
    head = ["", "before", "target", "now"]
    return _table(head, results.found("structure", "counts"))


def sanity(results: Results) -> str:
    """The table of docs/explain.md."""
    found = results.found("sanity", "methods")
    head = ["method", "last layer random", "all random", "deletion, over chance"]
    columns = ("last layer", "all layers", "deletion")
    rows = [[f"`{name}`", *(f"{one[c]:.2f}" for c in columns)] for name, one in found.items()]
    return _table(head, rows)


def quantus(results: Results) -> str:
    """The table of docs/explain.md by another package's metrics."""
    found = [results.found("quantus_scores", part) for part in ("digits", "mnist")]
    metrics = ("faithfulness", "complexity", "randomization")
    head = ["method", *metrics, *(f"MNIST: {metric}" for metric in metrics)]
    rows = []
    for name in found[0]:
        of_both = [one[name] for one in found]
        rows.append([f"`{name}`", *(_both(one, m) for one in of_both for m in metrics)])
    return _table(head, rows)


def _both(found: dict, metric: str) -> str:
    """A figure of ours, behind a bar that of captum where it has one."""
    return " / ".join(f"{found[package][metric]:.2f}" for package in found)


def backbones(results: Results) -> str:
    """The table of docs/pretrained.md."""
    found, rows = results.found("hub", "models"), []
    for names, (kind, backbone) in BACKBONES.items():
        difference = max(found[name]["read"] for name in names)
        same = "yes" if all(found[name]["same bits"] for name in names) else "no"
        rows.append([kind, f"`{backbone}`", power(difference), same])
    head = ["model type", "backbone", "the same bits back", "logits beside torch, float32"]
    return _table(head, [[kind, name, same, size] for kind, name, size, same in rows], texts=3)


def types(results: Results) -> str:
    """Which model types are which, of the tables that jkeras reads folders by."""
    own = {one.model_type for one in ARCHITECTURES}
    back = {one.kind for one in WRITTEN.values()}
    rows = []
    for kind in sorted({*own, *TYPES, *FAMILIES}):
        hub = "–"
        if kind in own | back:
            hub = "read and written"
        elif kind in TYPES:
            hub = "read"
        tasks = [f"`{task}`" for task in FAMILIES[kind].writes] if kind in FAMILIES else ["–"]
        rows.append([f"`{kind}`", hub, ", ".join(tasks)])
    head = ["model type", "keras-hub's model", "jkeras's own layers, read and written: tasks"]
    return _table(head, rows, texts=3)


# ---------------------------------------------------------------- docs/scaling.md


def _plan(plan: dict) -> list[str]:
    """State, temporaries and what collectives move."""
    moved = dict(plan["collectives"])
    named = [moved.pop(kind, 0) for kind in ("all-gather", "all-reduce")]
    return [mib(plan["state"]), mib(plan["temporary"]), *map(mib, [*named, sum(moved.values())])]


PLANNED = ["state on each", "temporary", "all-gather", "all-reduce", "others"]


def decoder(results: Results) -> str:
    """How large the decoder is."""
    (first, *_) = results.found("scaling", "devices")
    return f"The decoder has {first['parameters'] / 1e9:.2f} billion parameters."


def devices(results: Results) -> str:
    """The decoder by XLA:CPU."""
    plans = results.found("scaling", "devices")
    rows = [[plan["distribution"] or "none", str(plan["devices"]), *_plan(plan)] for plan in plans]
    return _table(["distribution", "devices", *PLANNED], rows)


def pods(results: Results) -> str:
    """The decoder by the compiler of TPUs."""
    rows = []
    for plan in results.found("scaling", "pods")["float32"]:
        fits = "yes" if plan["fits"] else f"no: it needs {gib(plan['needed'])}"
        rows.append([plan["distribution"], fits, *_plan(plan)])
    available = gib(results.found("scaling", "pods")["mixed_bfloat16"]["available"])
    return _table(["distribution", f"fits in {available}", *PLANNED], rows, texts=2)


def half(results: Results) -> str:
    """The decoder in 16 bits."""
    plan = results.found("scaling", "pods")["mixed_bfloat16"]
    state, temporary = mib(plan["state"]), mib(plan["temporary"])
    return (
        "With `mixed_bfloat16` on v5e:4x4, a sequence for each chip: "
        f"{state} of state, {temporary} of temporaries."
    )


def offload(results: Results) -> str:
    """The optimizer's state with the host."""
    head = ["layers, rows", "needed without", "needed with `offload`", "with the host"]
    rows = []
    for one in results.found("scaling", "offload"):
        plain, away = one["without"], one["with"]
        needed = gib(plain["needed"]) + ("" if plain["fits"] else ": does not fit")
        sizes = [needed, gib(away["needed"]), gib(away["host"])]
        rows.append([f"{one['layers']}, {one['rows']:,}", *sizes])
    return _table(head, rows)


def attention(results: Results) -> str:
    """Attention with and without its kernel."""
    found = results.found("scaling", "attention")
    fused, plain = (mib(found[name]["temporary"]) for name in ("fused", "plain"))
    return (
        "For a layer of 8 heads of 128 and one sequence of 4,096 positions, a training step "
        f"compiled for v5e needs\n{fused} of temporaries; with `flash_attention=False` it needs "
        f"{plain}."
    )


# ---------------------------------------------------------------- docs/laplace.md


def laplace(results: Results) -> str:
    """What the approximations say."""
    head = ["", "digits it has not seen", "the same inverted", "right of the former"]
    columns = ("seen", "inverted", "right")
    rows = [
        ["the model" if name == "model" else f'`"{name}"`', *(f"{one[c]:.2f}" for c in columns)]
        for name, one in results.found("laplace", "confidence")["said"].items()
    ]
    return _table(head, rows)


def laplace_torch(results: Results) -> str:
    """Differences to laplace-torch."""
    head = ["", "covariance", 'probabilities, "probit"', "log marginal likelihood"]
    columns = ("covariance", "probit", "evidence")
    rows = [
        [f'`"{name}"`', *("" if one[c] is None else power(one[c]) for c in columns)]
        for name, one in results.found("laplace", "torch").items()
    ]
    return _table(head, rows)


# ---------------------------------------------------------------- docs/uncertainty.md


def boston(results: Results) -> str:
    """Errors and likelihoods of the houses of Boston, beside those of the papers."""
    head = ["", "root mean squared error", "negative log-likelihood", "of the paper"]
    names = {
        "dropout": "`mc_dropout`",
        "ensemble": "five members, with a mean and a variance",
        "laplace": "`laplace`, one noise for all rows",
    }
    rows = []
    for name, text in names.items():
        one = results.found("boston", name)
        pairs = [f"{one[n]:.2f} ± {one[f'{n}_error']:.2f}" for n in ("rmse", "nll")]
        rows.append([text, *pairs, f"{one['paper']:.2f}"])
    return _table(head, rows)


# ---------------------------------------------------------------- docs/language-models.md


def peers(results: Results) -> str:
    """Texts of a Llama beside keras-hub and transformers."""
    names = ["jkeras", "keras-hub", "transformers"]
    head = ["width, rows"]
    head += ["first token, ms: jkeras", *names[1:], "each further, ms: jkeras", *names[1:]]
    head += ["128 tokens, of the better one's time", "of the limit"]
    rows = []
    for key, each in results.found("generation", "peers").items():
        cells = [key]
        for what in ("prefill", "decode"):
            cells += [f"{1e3 * each[name][what]:.1f}" for name in names]
        wholes = [each[name]["prefill"] + 127 * each[name]["decode"] for name in names]
        own, better = wholes[0], min(wholes[1:])
        cells += [f"{own / better:.2f}", f"{each['read'] / each['jkeras']['decode']:.0%}"]
        rows.append(cells)
    return _table(head, rows)


# ---------------------------------------------------------------- steps, by a compiler's account


def compiled(results: Results) -> str:
    """Training steps as the compiler of a TPU sees them."""
    others = ["by hand, one", "keras, one", "nnx, one"]
    head = ["work", "cycles, of by hand", "of Keras", "of NNX"]
    head += ["MB read and written", "of by hand", "of Keras", "of NNX"]
    head += ["MiB of temporaries", "of by hand", "of Keras", "of NNX", "`many`: cycles, of by hand"]
    rows = []
    for work, each in results.found("compiled", "v5e:1x1").items():
        cells = [work]
        for what, unit in (("cycles", None), ("bytes", 1e6), ("temporaries", 2**20)):
            own = each["jkeras, one"][what]
            cells += [] if unit is None else [f"{own / unit:,.1f}"]
            cells += [f"{own / each[one][what]:.3f}" if each.get(one) else "" for one in others]
        many = [each[f"{peer}, many"]["cycles"] for peer in ("jkeras", "by hand")]
        rows.append([*cells, f"{many[0] / many[1]:.3f}"])
    return _table(head, rows)


def gpus(results: Results) -> str:
    """Training steps as the compiler of a GPU sees them, which estimates no cycles."""
    head = ["work", "MB read and written", "of by hand", "of Keras", "ms at least"]
    head += ["MiB of temporaries", "of by hand", "of Keras", "`many`: bytes, of by hand"]
    rows = []
    for work, each in results.found("compiled", "h100:1").items():
        if each["jkeras, one"] is None:  # for none of the peers is it compiled
            continue
        own, hand, keras = (each[f"{peer}, one"] for peer in ("jkeras", "by hand", "keras"))
        many = [each[f"{peer}, many"]["bytes"] for peer in ("jkeras", "by hand")]
        cells = [work]
        for what, unit in (("bytes", 1e6), ("temporaries", 2**20)):
            cells.append(f"{own[what] / unit:,.1f}")
            cells += [f"{own[what] / other[what]:.3f}" for other in (hand, keras)]
            cells += [f"{1e3 * own['seconds']:.1f}"] if what == "bytes" else []
        rows.append([*cells, f"{many[0] / many[1]:.3f}"])
    return _table(head, rows)


def compiled_pods(results: Results) -> str:
    """Training steps on many devices as their compilers see them, for each of them."""
    head = ["work, layout, devices", "ms at least", "of by hand", "cycles, of by hand"]
    for what in ("MB read and written", "MiB of temporaries", "MiB kept", "MB of collectives"):
        head += [what, "of by hand"]
    rows = []
    for devices, found in results.measured["compiled_pods"].items():
        for work, each in found["found"].items():
            own, hand = each["jkeras"], each["by hand"]
            cells = [f"{work.removesuffix(', mixed_bfloat16')}, {devices}"]
            cells += [f"{1e3 * own['seconds']:.2f}", _of(own["seconds"], hand["seconds"])]
            cells += [_of(own["cycles"], hand["cycles"])]
            for what, unit in (("bytes", 1e6), ("temporaries", 2**20), ("arguments", 2**20)):
                cells += [f"{own[what] / unit:,.1f}", _of(own[what], hand[what])]
            moved = [sum(size for _, size in one["collectives"].values()) for one in (own, hand)]
            rows.append([*cells, f"{moved[0] / 1e6:,.1f}", _of(*moved)])
    return _table(head, rows)


def planned(results: Results) -> str:
    """What plans need, beside the account of the compiler."""
    head = [
        "work",
        "MiB needed, by the plan",
        "by the compiler",
        "ratio",
        "of it layouts that fill up",
    ]
    rows = []
    for work, each in results.found("planned", "v5e:1x1").items():
        needed, account = each["needed"], sum(each["account"].values())
        sizes = [f"{size / 2**20:,.1f}" for size in (needed, account)]
        padding = f"{each['plan']['padding'] / 2**20:,.1f}"
        rows.append([work, *sizes, _of(needed, account), padding])
    return _table(head, rows)


def records(group: str, results: Results) -> str:
    """The records of a group."""
    return sections(results.measured["records"], group)


def tested(results: Results) -> str:
    """How many tests ask what."""
    counts = results.found("tested", "tests")
    rows = [[text, f"{count:,}"] for text, count in counts.items()]
    return _table(["what is asked", "tests"], [*rows, ["together", f"{sum(counts.values()):,}"]])


def recommended(results: Results) -> str:
    """How often the order of choices is that of the compiler."""
    head = ["work, devices", "choices", "in the compiler's order", "by the roofline alone"]
    rows = []
    for devices, found in results.measured["recommended"].items():
        for work, each in found["found"].items():
            orders = (f"{same} of {pairs}" for same, pairs in each["same"].values())
            rows.append([f"{work}, {devices}", str(len(each["choices"])), *orders])
    return _table(head, rows)


def collectives(results: Results) -> str:
    """What goes between devices in a step, by kind."""
    head = ["work, layout, devices", "jkeras: how many, MB", "by hand: how many, MB"]
    rows = []
    for devices, found in results.measured["compiled_pods"].items():
        for work, each in found["found"].items():
            both = [_kinds(each[peer]["collectives"]) for peer in ("jkeras", "by hand")]
            rows.append([f"{work.removesuffix(', mixed_bfloat16')}, {devices}", *both])
    return _table(head, rows, texts=3)


def _kinds(found: dict) -> str:
    """Collectives of a step in words."""
    one = (f"{kind} {count}, {size / 1e6:,.1f}" for kind, (count, size) in sorted(found.items()))
    return "; ".join(one)


def _of(own: float, other: float) -> str:
    """A ratio; nothing where the other is 0."""
    return f"{own / other:.3f}" if other else ""


def splash(results: Results) -> str:
    """Attention by the kernel and in its plain form, by length."""
    head = ["positions, size of a head", "MB read and written: kernel", "plain"]
    head += ["ms at least: kernel", "plain", "MiB of temporaries: kernel", "plain"]
    rows = []
    for name, each in results.found("attention", "v5e:1x1").items():
        forms = each["kernel"], each["plain"]
        cells = [name]
        for what, unit in (("bytes", 1e6), ("seconds", 1e-3), ("temporaries", 2**20)):
            cells += [f"{one[what] / unit:,.{2 * (what == 'seconds')}f}" for one in forms]
        if forms[0] != forms[1]:  # else the kernel is not taken
            rows.append(cells)
    return _table(head, rows)


def recurrent(results: Results) -> str:
    """Recurrent layers on a TPU by the kernel and by XLA's loop."""
    head = ["layer", "cycles: kernel", "loop", "kernel, of the loop"]
    head += ["MB read and written: kernel", "loop"]
    rows = []
    for name, each in results.found("recurrent", "v5e:1x1").items():
        forms = each["kernel"], each["loop"]
        cells = [name, *(f"{one['cycles']:,}" for one in forms)]
        cells.append(f"{forms[0]['cycles'] / forms[1]['cycles']:.3f}")
        rows.append([*cells, *(f"{one['bytes'] / 1e6:,.1f}" for one in forms)])
    return _table(head, rows)


def chips(results: Results) -> str:
    """Training steps on chips, by what these can do at most."""
    names = {"resnet50": "ResNet50", "gpt2": "GPT-2, 124 M"}
    head = ["work", "chip", "needed", "a step takes at least", "bound by", "MFU at most"]
    rows = []
    for work, name in names.items():
        for chip, one in results.found("chips", work).items():
            cells = [f"{name}, {one['rows']} rows", chip, f"{one['needed'] / 2**30:.1f} GiB"]
            if one["fits"]:
                cells += [f"{1e3 * one['seconds']:.1f} ms", one["bound"], f"{one['mfu']:.0%}"]
            else:
                cells += ["does not fit", "", ""]
            rows.append(cells)
    return _table(head, rows)


# ---------------------------------------------------------------- docs/data-at-rate.md


SETS_OF_ROWS = {"images": "Images of 64x64x3 bytes", "rows": "Rows of 768 numbers in float32"}


def data_rate(results: Results) -> str:
    """How fast data of each kind reaches a training: a table for each set of rows."""
    tables = []
    for name, title in SETS_OF_ROWS.items():
        found = results.found("data_rate", name)
        tables.append(f"{title}:\n\n{_rates(found)}")
    return "\n\n".join(tables)


def data_rate_launched(results: Results) -> str:
    """The same of one training over several processes."""
    tables = []
    for name, title in SETS_OF_ROWS.items():
        found = results.found("data_rate", f"{name}_launched")
        tables.append(f"{title}:\n\n{_launched_rates(found)}")
    return "\n\n".join(tables)


def _launched_rates(found: dict) -> str:
    head = [""]
    for number in found:
        processes = f"{number} process" if number == "1" else number
        head += [f"{processes}: MB/s", f"{number}: of its loop", f"{number}: of `np.memmap`"]
    rows = []
    for kind in found["1"]:
        cells = [kind]
        for each in found.values():
            one = each[kind]
            cells += [f"{one['bytes_per_second'] / 1e6:,.0f}", _both_times(one, "of_reader")]
            cells += [_both_times(one, "of_memmap")]
        rows.append(cells)
    return _table(head, rows)


def _rates(found: dict) -> str:
    head = ["", "MB/s"]
    for number in found:
        processes = f"{number} process" if number == "1" else number
        head += [f"{processes}: of `np.memmap`", f"{number}: of its reader"]
    head += ["1: of batches kept"]
    rows = []
    for kind, one in found["1"].items():
        cells = [kind, f"{one['bytes_per_second'] / 1e6:,.0f}"]
        for each in found.values():
            cells += [_both_times(each[kind], f"of_{name}") for name in ("memmap", "reader")]
        rows.append([*cells, _both_times(one, "of_kept")])
    return _table(head, rows)


def _both_times(one: dict, what: str) -> str:
    """A ratio of rates by the clock, in brackets by the processor's seconds."""
    if what not in one:
        return ""
    return f"{one[what]:.2f} ({one[f'cpu_{what}']:.2f})"


# ---------------------------------------------------------------- docs/privacy.md


def megabytes(size: int) -> str:
    """Bytes in MB."""
    return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"


def clipping(results: Results) -> str:
    """Memory and time of gradients."""
    found = results.found("privacy", "memory")
    names = {"plain": "the plain gradient", "ghost": '`norms="ghost"`', "vmap": '`norms="vmap"`'}
    rows = [
        [text, megabytes(one["temporary"]), about(one["time"]) if "time" in one else "1"]
        for name, text in names.items()
        for one in [found[name]]
    ]
    return _table(["", "temporaries", "time, of the plain gradient's"], rows)


def microbatches(results: Results) -> str:
    """A step in parts."""
    found = results.found("privacy", "microbatches")
    return (
        'A step of the network above with `norms="vmap"` has temporaries of '
        f"{megabytes(found['4'])} then, in place of {megabytes(found['1'])}; ghosts have no "
        "gradient for each row."
    )


def accuracy(results: Results) -> str:
    """What the first two programs reach."""
    found = results.found("privacy", "accuracy")
    noise, epsilon = (f"{min(one):.2f} to {max(one):.2f}" for one in found.values())
    return (
        f"With {len(found['noise'])} seeds, test accuracy is {noise} by the first program, and "
        f"{epsilon} by the second."
    )


def account(results: Results) -> str:
    """Both accountants."""
    found = results.found("privacy", "account")
    return (
        '`accountant="pld"` says somewhat less for the same training '
        f"({found['pld']:.2f} in place of {found['rdp']:.2f} above), and takes the\npackage "
        "dp-accounting."
    )


def audit(results: Results) -> str:
    """What the attack finds."""
    plain, private = (results.found("privacy", "audit")[name] for name in ("plain", "private"))
    return (
        f"It prints an area under the curve of {plain['auc']:.2f} and a bound of "
        f"{plain['epsilon']:.2f} without privacy, and {private['auc']:.2f} and "
        f"{private['epsilon']:.2f} with it."
    )


# ---------------------------------------------------------------- docs/shipping.md


def calibrated(results: Results) -> str:
    """What the model of examples/serving reaches."""
    found = results.found("serving", "report")
    rows = [
        ["accuracy", f"{found['accuracy']:.3f}", "unchanged"],
        ["negative log-likelihood", f"{found['loss_before']:.3f}", f"{found['loss']:.3f}"],
        [
            "expected calibration error, 15 bins",
            f"{found['ece_before']:.3f}",
            f"{found['ece']:.3f}",
        ],
        ["sets: share that has the digit, 0.95 wanted", "", f"{found['coverage']:.3f}"],
        ["sets: digits in one, on average", "", f"{found['set_size']:.2f}"],
    ]
    table = _table([f"{found['rows']} images", "before", "after calibration"], rows)
    low, high = found["ece_range"]
    return (
        f"{table}\n\nThe temperature is {found['temperature']:.2f}. The likelihood gains "
        f"{found['gain']:.3f}, with a standard error of {found['gain_error']:.3f}. A calibration\n"
        "error of so few images is never 0: probabilities that are exactly right have one of "
        f"{found['ece_by_chance']:.3f} here, and of {low:.3f} to\n{high:.3f} in nine of ten "
        "samples of the labels ([Uncertainty](uncertainty.md))."
    )


def deleted(results: Results) -> str:
    """How the explanation is checked."""
    share = results.found("serving", "report")["deletion"]
    return (
        "While the pixels that integrated gradients find are deleted, the probability of the "
        f"label, averaged over\nthe deletion, is {share:.2f} of what it is while random pixels are."
    )


def loads(results: Results) -> str:
    """The server under load."""
    head = ["model", "connections", "requests", "failures", "malformed, refused"]
    found = results.found("serving", "load")
    rows = [
        [
            f"{one['filters']} filters",
            *(f"{one[name]:,}" for name in ("connections", "requests", "failures")),
            f"{one['refused']} of {one['malformed']}",
            about(one["ratio"]),
        ]
        for one in found
    ]
    difference, others = (max(one[name] for one in found) for name in ("difference", "other_sets"))
    return (
        f"{_table([*head, 'time with batches, of that without'], rows)}\n\nThe largest difference "
        f"to the model's own probabilities is {power(difference)}; {others} sets of digits differ."
    )


def half_sent(results: Results) -> str:
    """Clients that send half a request."""
    found = results.found("serving", "half_sent")
    return (
        f"With {found['half_sent']} half-sent requests open at once, from one address, "
        f"{found['answered']} of {found['asked']} requests were answered meanwhile, and\n"
        f"{found['ended']} of the {found['half_sent']} connections were ended by the server."
    )


BLOCKS: dict[str, Callable[[Results], str]] = {
    "speed": speed,
    "missed": missed,
    "short": short,
    **{
        f"records_{group}": functools.partial(records, group)
        for group in ("nets", "data", "papers")
    },
    "forms": forms,
    "files": files,
    **{
        one.__name__: one
        for one in (
            *(examples, notebooks, packages, sanity, quantus, structure, backbones, types),
            *(data_rate, data_rate_launched, decoder, devices, pods, half, offload, attention),
            *(laplace, laplace_torch, boston, peers, compiled, gpus, splash, recurrent, chips),
            *(compiled_pods, collectives, planned, recommended, tested),
            *(clipping, microbatches, accuracy, account, audit),
            *(calibrated, deleted, loads, half_sent),
        )
    },
}


def written(text: str, results: Results) -> str:
    """A page with its blocks written anew."""
    return BLOCK.sub(lambda found: found[1] + BLOCKS[found[2]](results) + found[3], text)


def main(arguments: list[str]) -> None:
    """Writes the pages, or says which are out of date."""
    results = Results.read()
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
