"""Replays the recorded trainings of ../shared/parity in every way in which `fit` can run them.

    python tests/parity/run_modes.py                    # all modes
    python tests/parity/run_modes.py --modes one,host   # some of them
    python tests/parity/run_modes.py --only '^training/optimizer/'

Two modes run at a time; each takes one or two minutes. `run_recorded.py` replays the trainings as a
user's program would. Here each mode is a process of its own in which jkeras is made to take another
way, before the runner, untouched, takes over. Prints a line for each mode. Exit status 0: in each
mode those fail, and only those, that are known to: `not_built.txt` and `KNOWN` name them.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))  # the interpreter put this folder there instead

from tests.parity.run_recorded import read_list, verdicts
from tests.quick_xla import quick_flags

# ---------------------------------------------------------------- the modes, as changes to jkeras


def one():
    """Each step is a dispatch, since somebody looks at every batch."""
    import jkeras

    class Looks(jkeras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            """Being told is all that is wanted."""

        on_test_batch_end = on_train_batch_end

    for name in ("fit", "evaluate"):
        _with_more(
            jkeras.Model,
            name,
            lambda given: {"callbacks": [*_as_list(given.get("callbacks")), Looks()]},
        )


def three():
    """Three steps are a dispatch, unless a case says how many, and smaller batches at the end stay
    as small.
    """
    from jkeras.training.loop import loop

    fixed_steps = loop.fixed_steps

    def three_or_given(layout, kind, every_batch):
        if layout.model.steps_per_execution > 1:
            return fixed_steps(layout, kind, every_batch)
        return 3

    loop.fixed_steps = three_or_given
    _no_padding()


def host():
    """No data set is put on the device: a thread makes batches ahead."""
    from jkeras.training.data import array_source

    array_source.ON_DEVICE_LIMIT = 0


def host_unpadded():
    """The same, with smaller batches at the end left as small."""
    host()
    _no_padding()


def eager():
    """Nothing is compiled."""
    import jkeras

    _with_more(jkeras.Model, "compile", lambda given: {"run_eagerly": True})


MODES = {f.__name__: f for f in (one, three, host, host_unpadded, eager)}
ZERO_GRADIENT = {
    "training/fit/ragged-batch-norm": "a bias before BatchNormalization, whose exact gradient is "
    "0, is moved by rounding; where no batch is filled up the digits are those of real Keras "
    "without jit",
}
KNOWN = {  # what a mode changes in the results, rightly or not
    "three": {
        "training/callback/recorder": "it counts the calls of a callback, which there are fewer "
        "of, as in Keras",
        **ZERO_GRADIENT,
    },
    "host_unpadded": ZERO_GRADIENT,
    "eager": ZERO_GRADIENT,
}


def _no_padding():
    from jkeras.training.loop import loop

    loop.may_pad = lambda *_: False


def _with_more(cls, name, more):
    """Gives a method more arguments: `more` makes them of those that it was called with."""
    method = getattr(cls, name)
    setattr(
        cls, name, lambda self, *args, **kwargs: method(self, *args, **{**kwargs, **more(kwargs)})
    )


def _as_list(callbacks):
    return callbacks if isinstance(callbacks, list) else [] if callbacks is None else [callbacks]


# ---------------------------------------------------------------- the command


def replay(mode, runner, out, only):
    """Runs the cases in a process of their own in a mode: ({case id: reason or None}, seconds)."""
    command = [
        sys.executable,
        __file__,
        "--inside",
        mode,
        str(runner),
        "--module",
        "jkeras",
        "--kinds",
        "training",
        "--out",
        str(out),
        *(["--only", only] if only else []),
    ]
    environment = dict(
        os.environ, JAX_PLATFORMS="cpu", KERAS_BACKEND="jax", PYTHONDONTWRITEBYTECODE="1"
    )
    environment.setdefault("XLA_FLAGS", quick_flags())
    begin = time.perf_counter()
    done = subprocess.run(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if not out.exists():
        raise SystemExit(
            f"mode {mode} broke off with status {done.returncode}:\n{done.stdout[-3000:]}"
        )
    return verdicts(json.loads(out.read_text())), time.perf_counter() - begin


def inside(mode, runner, *arguments):
    """In the process of a mode: changes jkeras, then is the runner."""
    MODES[mode]()
    sys.argv = [runner, *arguments]
    sys.path.insert(0, str(pathlib.Path(runner).parent))  # as for a program that is started
    runpy.run_path(runner, run_name="__main__")


def main():
    """Replays every mode, two at a time, and reports."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parity", type=pathlib.Path, default=ROOT.parent / "shared" / "parity")
    parser.add_argument("--modes", default=",".join(MODES), help=f"some of {', '.join(MODES)}")
    parser.add_argument("--only", help="regular expression searched in the id")
    options = parser.parse_args()
    modes, runner = options.modes.split(","), (options.parity / "run_models.py").resolve()
    listed = read_list(HERE / "not_built.txt")
    with tempfile.TemporaryDirectory() as name, concurrent.futures.ThreadPoolExecutor(2) as pool:
        outs = [pathlib.Path(name) / f"{mode}.json" for mode in modes]
        results = list(
            pool.map(replay, modes, [runner] * len(modes), outs, [options.only] * len(modes))
        )
    return max(
        report(mode, found, seconds, listed) for mode, (found, seconds) in zip(modes, results)
    )


def report(mode, found, seconds, listed):
    """Prints what a mode gave; returns whether it is other than known."""
    failed, known = {case: reason for case, reason in found.items() if reason}, KNOWN.get(mode, {})
    unexpected = [
        case
        for case in failed
        if case not in known and not any(p.fullmatch(case) for _, p in listed)
    ]
    passing = [case for case in known if case in found and case not in failed]
    for case in unexpected:
        print(f"FAIL {mode} {case}: {failed[case][:300]}")
    for case in passing:
        print(f"passes, though KNOWN[{mode!r}] names it; remove it there: {case}")
    print(
        f"mode {mode}: {len(found) - len(failed)} of {len(found)} trainings as recorded, "
        f"{len(failed) - len(unexpected)} known to fail, {len(unexpected)} fail, {seconds:.0f} s",
        flush=True,
    )
    return int(bool(unexpected or passing or not found))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(*sys.argv[2:])
    else:
        sys.exit(main())
