"""Runs the programs of examples/ and keeps what each prints, and a picture, for its page.

    python docs/site/record.py            # all, about ten minutes
    python docs/site/record.py vae gan

Results lie in docs/assets/examples, NAME.txt and NAME.png. A picture shows what a program makes
where it makes images, else how its longest `fit` went; some programs have none.
"""

import contextlib
import os
import pathlib
import re
import runpy
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLES = HERE.parent.parent / "examples"
KEPT = HERE.parent / "assets" / "examples"
LINES = 60  # what is longer is cut in its middle

# program -> (a function of it that is given or gives what is drawn, how to draw that)
DRAWN = {
    "actor_critic": (
        "train",
        lambda given, result: episodes(result),
    ),
    "ddpm": ("nearest", lambda given, result: images(given[0])),
    "gan": ("judged", lambda given, result: images(given[0])),
    "vae": ("show", lambda given, result: images(given[0])),
}


def main(names):
    """Runs programs one after the other, each in a process of its own."""
    KEPT.mkdir(exist_ok=True)
    for name in names or sorted(path.stem for path in EXAMPLES.glob("*.py")):
        (KEPT / f"{name}.png").unlink(missing_ok=True)
        done = subprocess.run(
            [sys.executable, __file__, "--one", name],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg"},
        )
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        (KEPT / f"{name}.txt").write_text(shortened(done.stdout))
        print(f"{name}: {len(done.stdout.splitlines())} lines")


def shortened(text):
    """What a program printed, without marks of a terminal, cut in its middle where it is long."""
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    if len(lines) > LINES:
        lines = lines[: LINES // 2] + ["…"] + lines[-LINES // 2 :]
    return "\n".join(lines).strip("\n") + "\n"


def run_one(name):
    """Runs a program as it stands, and draws."""
    histories, seen = [], []
    with watching_fit(histories):
        module = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)
        module["main"].__globals__.update(watched(name, module, seen))
        module["main"]()
    figure = None
    if seen:
        figure = DRAWN[name][1](*seen[-1])
    elif histories:
        figure = max(histories, key=lambda history: len(history.epoch)).plot()
    if figure is not None:
        figure.savefig(KEPT / f"{name}.png", dpi=80, bbox_inches="tight")


@contextlib.contextmanager
def watching_fit(histories):
    """Within it each `fit` leaves its history, if it has two epochs or more."""
    import jkeras

    fit = jkeras.Model.fit

    def watched_fit(self, *args, **kwargs):
        history = fit(self, *args, **kwargs)
        if len(history.epoch) > 1:
            histories.append(history)
        return history

    jkeras.Model.fit = watched_fit
    try:
        yield
    finally:
        jkeras.Model.fit = fit


def watched(name, module, seen):
    """{name: function} of the program's function whose arguments and results are kept."""
    if name not in DRAWN:
        return {}
    function = module[DRAWN[name][0]]

    def keeping(*args, **kwargs):
        result = function(*args, **kwargs)
        seen.append((args, result))
        return result

    return {DRAWN[name][0]: keeping}


def images(made, count=40):
    """Digits, eight pixels high, in rows of ten."""
    from matplotlib import pyplot
    import numpy as np

    made = np.asarray(made)[:count].reshape(-1, 8, 8)
    rows = -(-len(made) // 10)
    columns = min(10, len(made))
    figure, axes = pyplot.subplots(rows, columns, figsize=(0.8 * columns, 0.8 * rows))
    for axis in np.ravel(axes):
        axis.axis("off")
    for axis, image in zip(np.ravel(axes), made):
        axis.imshow(image, cmap="gray_r")
    return figure


def episodes(lengths):
    """The mean length of the episodes that ended in each update; 0 stands for none."""
    from matplotlib import pyplot
    import numpy as np

    lengths = np.asarray(lengths).reshape(len(lengths), -1)
    ended = np.maximum((lengths > 0).sum(axis=1), 1)
    figure, axis = pyplot.subplots(figsize=(6, 3))
    axis.plot(lengths.sum(axis=1) / ended)
    axis.set_xlabel("update")
    axis.set_ylabel("steps that the pole is up")
    return figure


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        run_one(sys.argv[2])
    else:
        main(sys.argv[1:])
