"""LSTM and GRU on a TPU by the kernel and by XLA's loop, as the compiler sees them: the figures of
docs/scaling.md.

    python -m benchmarks.recurrent [--topology v5e:1x1]

A training step of one layer over 128 steps. Of what XLA compiles the cycles are its own estimate,
of loops as often as they run; of the kernels those of their schedules, an instruction each, which
the compiler writes where it is asked to. Needs the extra `aot`.
"""

import argparse
import itertools
import json
import pathlib
import re
import tempfile

from benchmarks import kept, runner
from benchmarks.compiled import TYPES
from benchmarks.compiling import cycles
from jkeras.ops import recurrent_kernels

STEPS = 128
CELLS = ("LSTM", "GRU")
SIZES = ((64, 64), (256, 64), (64, 512), (256, 512), (8, 1024))  # of a batch, units
BUNDLE = re.compile(r"^ *(?:0x[0-9a-f]+|\d+) +(?:[A-Z]{2})?: +(>*) *\{", re.MULTILINE)
KERNEL = re.compile(r'%(\S+) = .*custom_call_target="tpu_custom_call"')
BOUNDS = re.compile(r"iteration_bounds: \(([\d, ]+)\)")


def of_schedules(folder, kernels):
    """The cycles of kernels, by name, whose schedules are in a folder. Their grid, blocks of rows
    by blocks of steps, runs as often as it says, and the loop inside of it once for each step.
    """
    total = 0
    for name in kernels:
        (path,) = pathlib.Path(folder).glob(f"*-{name}-*[0-9]-final_bundles.txt")
        text = path.read_text()
        rows, blocks = map(int, BOUNDS.search(text)[1].split(","))
        often = {1: rows * blocks, 2: rows * STEPS}
        total += sum(often.get(len(depth), 1) for depth in BUNDLE.findall(text))
    return total


def account(form, cell, dtype, batch, units, topology):
    """What the compiler says of a step of one layer."""
    import jkeras

    if form == "loop":
        recurrent_kernels.loop_for = lambda *_: None
    jkeras.config.set_dtype_policy(dtype)
    x = jkeras.Input((STEPS, units))
    model = jkeras.Model(x, getattr(jkeras.layers, cell)(units, return_sequences=True)(x))
    model.compile("sgd", "mse")
    plan = model.plan(batch, topology=topology)
    return {
        "cycles": cycles(plan.text),
        "bytes": plan.bytes_accessed,
        "temporaries": plan.memory.temporary,
        "kernels": KERNEL.findall(plan.text),
    }


def in_a_process(*given):
    """What `account` gives, with the schedules of the kernels in the cycles."""
    with tempfile.TemporaryDirectory() as folder:
        asked = f"--xla_jf_dump_to={folder} --xla_jf_dump_llo_text=true"
        # the compiler of TPUs ends a process with flags of another's
        environment = {"XLA_FLAGS": "", "LIBTPU_INIT_ARGS": asked}
        arguments = list(map(str, given))
        (found,) = runner.printed("recurrent", "--one", *arguments, environment=environment)
        found["cycles"] += of_schedules(folder, found.pop("kernels"))
    return found


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--topology", default="v5e:1x1")
    parser.add_argument("--one", nargs=6)
    given = parser.parse_args()
    if given.one:
        form, cell, dtype, batch, units, topology = given.one
        found = account(form, cell, dtype, int(batch), int(units), topology)
        print(json.dumps(found), flush=True)
        return
    found = {}
    for cell, dtype, (batch, units) in itertools.product(CELLS, TYPES, SIZES):
        case = cell, dtype, batch, units, given.topology
        rows = {form: in_a_process(form, *case) for form in ("kernel", "loop")}
        found[f"{cell} of {units}, {batch} rows, {dtype}"] = rows
        print(*case, rows, flush=True)
    kept.keep("recurrent", given.topology, found, ("libtpu",))


if __name__ == "__main__":
    main()
