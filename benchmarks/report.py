"""What was measured as tables in Markdown: targets first, then every work, imports and kernels."""

import datetime
import importlib.metadata
import os
import platform
import statistics
import subprocess

from benchmarks import growth, targets
from benchmarks.works import WORKS

PACKAGES = ("jax", "jaxlib", "optax", "keras", "flax", "equinox", "torch", "numpy")
HEADER = """# Benchmarks

Written by `python -m benchmarks`: jkeras beside its peers, each through the API that its users
write (`benchmarks/peers/`), with the same networks, data, numbers of steps and metrics (means of
loss and accuracy over an epoch).

How it is measured

- Each work of each peer runs in a process of its own, pinned to one core before any library is
  loaded, with `XLA_FLAGS=--xla_cpu_multi_thread_eigen=false` and `torch.set_num_threads(1)`;
  compiled programs are not kept.
- The processes take turns, {rounds} rounds each, one at a time. "CPU ms" is processor time, for a
  step or a prediction, the median over the rounds. Ratios are of processor time: the median of the
  ratios in each round, and in parentheses the smallest and the largest. Ratios between 0.9 and 1.1
  may be noise.
- "build" makes the model (of hand-written loops: their arrays); "compile" is the first round's time
  less a usual round's; "compiles" counts the programs in it, small ones too. "peak" is the largest
  memory of the process, its libraries included.
- "of the limit" is the share of a core's peak: the arithmetic of the hand-written step, counted
  before XLA changes it, over the processor time and what the core does in a second of a large
  float32 product. It is the same arithmetic for all peers.
- "jitted" and "scanned" are hand-written JAX in XLA's default forms (`peers/plain.py`); their LSTM
  has both matrix products in the loop. "scanned" leaves out networks with convolutions, which
  XLA:CPU computes 20 to 40 times slower in a loop.
"""

TEXTS = """## Texts

A Llama of 4 layers and 4,096 tokens, prompts of 32, greedy, by `python -m
benchmarks.generation_peers`; docs/make_figures.py writes the table.

<!-- figures: begin peers, by docs/make_figures.py -->



<!-- figures: end -->
"""

COMPILED = """## As the compiler of a TPU sees it

Training steps compiled for one v5e, none of them run: what docs/scaling.md says of each column, by
`python -m benchmarks.compiled`; docs/make_figures.py writes the table.

<!-- figures: begin compiled, by docs/make_figures.py -->



<!-- figures: end -->

On pods, for each device, by `python -m benchmarks.compiled_pods`:

<!-- figures: begin compiled_pods, by docs/make_figures.py -->



<!-- figures: end -->
"""

GROWS = """Time follows the size to the power of the slope, a least-squares line through logarithms.
"start" is building and the first round.

"""


def machine():
    """Lines that name the machine, the versions, jkeras's commit, and how busy the machine is."""
    with open("/proc/cpuinfo") as file:
        model = next(
            (line.partition(":")[2].strip() for line in file if line.startswith("model name")), "?"
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {name}")
    command = ["git", "describe", "--always", "--dirty"]
    state = subprocess.run(
        command, cwd=os.path.dirname(__file__), capture_output=True, text=True
    ).stdout.strip()
    load = ", ".join(f"{n:.1f}" for n in os.getloadavg())
    return (
        f"- Machine: {model}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} "
        f"{platform.release()}\n- jkeras at {state or 'an unknown commit'}\n- Versions: Python "
        f"{platform.python_version()}, {', '.join(versions)}\n- {datetime.date.today()}, load "
        f"before the run (1, 5, 15 minutes): {load}\n"
    )


def table(head, rows):
    """Markdown, its columns lined up."""
    cells = [[str(cell) for cell in row] for row in [head, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
        for row in cells
    ]
    return (
        "\n".join(
            [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
        )
        + "\n"
    )


def number(value, digits=3):
    """A number with so many significant digits, "-" for none."""
    if value is None:
        return "-"
    return f"{value:.{max(0, digits - len(str(int(abs(value)))) if abs(value) >= 1 else digits)}f}"


def spread(ratio):
    """ "0.52 (0.50..0.55)"; small ones with a digit more."""
    digits = 3 if ratio is not None and ratio.median < 0.2 else 2
    return (
        "-"
        if ratio is None
        else f"{ratio.median:.{digits}f} ({ratio.low:.{digits}f}..{ratio.high:.{digits}f})"
    )


# ---------------------------------------------------------------- targets


def target_table(found):
    """One line for each target, then why those that are not reached are not, and where torch is
    ahead.
    """
    rows = []
    for one in found:
        verdict = {
            True: "reached",
            False: "**not reached**",
            None: "not measured" if one.value is None else "shown",
        }
        target, counted = one.target, one.target.against is None
        value = None if one.value is None else targets.Ratio(one.value, one.low, one.high)
        rows.append(
            [
                target.title,
                targets.OF[target.of] + ("" if counted else f" / {target.against}"),
                "-" if target.limit is None else f"<= {target.limit}",
                "-" if value is None else f"{value.median:.0f}" if counted else spread(value),
                verdict[targets.reached(one)],
            ]
        )
    short = dict.fromkeys(
        one.target.what for one in found if one.value and one.value > (one.target.limit or 1.0)
    )
    why = [
        f"- {WORKS[name].title if name in WORKS else name}: {targets.WHY[name]}\n"
        for name in short
        if name in targets.WHY
    ]
    return (
        table(["work", "what", "target", "measured", ""], rows)
        + ("\nWhat stands in the way\n\n" if why else "")
        + ("".join(why))
    )


# ---------------------------------------------------------------- works


def of_limit(name, limit, seconds):
    """The share of a step's time in which a core at its peak would do its arithmetic, or "-"."""
    least = limit.get("seconds", {}).get(name)
    return f"{least / seconds:.1%}" if least else "-"


def work_rows(work, found, limit):
    """A row for each peer."""
    for peer, one in found.items():
        name = work.title if peer == next(iter(found)) else ""
        if "failed" in one:
            yield [name, peer, f"failed: {one['failed']}", *[""] * 8]
            continue
        cpu, wall = targets.usual(one, "cpu_s"), targets.usual(one, "wall_s")
        fresh = work.fresh  # nothing of the first round is left to subtract
        yield [
            name,
            peer,
            number(cpu * 1e3 / one["count"]),
            number(wall * 1e3 / one["count"]),
            number(one["build"].get("cpu_s"), 2),
            "-" if fresh else number(max(0.0, one["first"]["cpu_s"] - cpu), 2),
            one["rounds"][-1]["compiles"] if fresh else one["first"]["compiles"],
            f"{one['peak_mb']:.0f}",
            spread(targets.ratio(found, peer, "keras")),
            spread(targets.ratio(found, peer, "jitted")),
            of_limit(work.name, limit, cpu / one["count"]),
        ]


def work_table(works, limit):
    """All works but those that have a table of their own."""
    rows = [
        row
        for name, found in works.items()
        if name in WORKS
        for row in work_rows(WORKS[name], found, limit)
    ]
    return table(
        [
            "work",
            "peer",
            "CPU ms",
            "wall ms",
            "build s",
            "compile s",
            "compiles",
            "peak MB",
            "/ keras",
            "/ jitted",
            "of the limit",
        ],
        rows,
    )


def depth_table(works):
    """Where the time goes before the first result, and what a step costs from then on, against the
    depth.
    """
    rows = []
    for name, found in works.items():
        for peer, one in found.items() if name.startswith("depth") else ():
            if one.get("rounds"):
                step, first = targets.usual(one, "cpu_s"), one["first"]
                xla = first["xla_s"] + one["build"]["xla_s"]
                rows.append(
                    [
                        WORKS[name].title,
                        peer,
                        number(one["build"]["cpu_s"], 2),
                        number(first["cpu_s"], 2),
                        number(xla, 2),
                        number(max(0.0, targets.start(found, peer) - xla - step), 2),
                        number(step * 1e3 / one["count"]),
                    ]
                )
    return (
        table(
            [
                "depth",
                "peer",
                "build s",
                "first step s",
                "of both XLA s",
                "of both Python s",
                "usual step ms",
            ],
            rows,
        )
        if rows
        else ""
    )


def growth_table(works):
    """Slopes of time against sizes."""
    rows = [
        [
            what,
            f"{sizes[0]:,} to {sizes[-1]:,}",
            peer,
            number(step, 2),
            number(first, 2),
            number(usual[0] * 1e3),
            number(usual[-1] * 1e3),
        ]
        for what, sizes, peer, step, first, usual in growth.rows(works)
    ]
    head = ["what grows", "sizes", "peer", "slope", "slope of the start", "least ms", "largest ms"]
    return table(head, rows) if rows else ""


def import_table(found):
    """One line for each library."""
    rows = [
        [
            name,
            number(targets.usual(one, "cpu_s"), 2),
            number(targets.usual(one, "wall_s"), 2),
            spread(targets.ratio(found, name, targets.BASE)),
            spread(targets.ratio(found, name, "keras")),
        ]
        for name, one in found.items()
    ]
    return table(["import", "CPU s", "wall s", f"/ {targets.BASE}", "/ keras"], rows)


def other_table(experiments):
    """Each form relative to the first, which is the plain one."""
    rows = []
    for one in experiments:
        base, forms = next(iter(one["forms"])), one["forms"]
        for name, found in forms.items():
            cpu, wall = (targets.usual(found, key) / one["count"] for key in ("cpu_s", "wall_s"))
            rows.append(
                [
                    one["title"] if name == base else "",
                    name,
                    number(cpu * 1e3),
                    number(wall * 1e3),
                    spread(targets.ratio(forms, name, base)),
                    spread(targets.ratio(forms, name, base, "wall_s")),
                    number(found["first"]["cpu_s"], 2),
                ]
            )
    head = ["work", "form", "CPU ms", "wall ms", "relative CPU", "relative wall", "first s"]
    return table(head, rows)


def kernel_table(experiments):
    """Each form relative to the first, which is the plain one."""
    rows = []
    for experiment in experiments:
        base = next(iter(experiment["forms"].values()))["rounds"]
        for i, (name, one) in enumerate(experiment["forms"].items()):
            ratios = [a / b for a, b in zip(one["rounds"], base)]
            rows.append(
                [
                    "" if i else experiment["title"],
                    name,
                    number(statistics.median(one["rounds"])),
                    spread(targets.Ratio(statistics.median(ratios), min(ratios), max(ratios))),
                    number(one["first_s"], 2),
                ]
            )
    return table(["operation", "form", "CPU ms", "relative", "first s"], rows)


def pace(limit):
    """A line with what a core does at its peak."""
    if "peak" not in limit:
        return ""
    return f"- A core's peak: {limit['peak'] / 1e9:.0f} billion float32 operations a second\n"


def report(results, about, rounds):
    """The whole text; `results` has "works", "imports" and "kernels", and may have "limit",
    "others" and "newest"; `about` names the machine.
    """
    others = results.get("others", [])
    works = results["works"] | {"import": results["imports"]}
    works |= {one["name"]: one["forms"] for one in others}
    parts = [
        HEADER.format(rounds=rounds) + about + pace(results.get("limit", {})),
        "## Targets\n\n" + target_table(targets.compare(works)),
        "## Works\n\n" + work_table(results["works"], results.get("limit", {})),
    ]
    depths = depth_table(results["works"])
    if depths:
        parts.append("## Cost against depth\n\n" + depths)
    grown = growth_table(results["works"])
    if grown:
        parts.append("## How cost grows\n\n" + GROWS + grown)
    if others:
        parts.append("## Other works\n\n" + other_table(others))
    parts += [TEXTS, COMPILED]
    newest = results.get("newest")
    if newest:
        heading = f"## With {newest['versions']}\n\n"
        parts.append(heading + work_table(newest["works"], results.get("limit", {})))
    if results["imports"]:
        parts.append("## Import\n\n" + import_table(results["imports"]))
    if results["kernels"]:
        parts.append("## Forms by platform\n\n" + kernel_table(results["kernels"]))
    return "\n".join(parts)
