"""Runs the programs of examples/ and the notebooks of the gallery, and keeps what each prints, a
picture and its seconds, for its page.

    python docs/site/record.py            # all, about a quarter of an hour
    python docs/site/record.py vae gan notebooks/vae

Results lie in docs/assets/examples and docs/assets/notebooks: NAME.txt, NAME.png and seconds.json.
A picture shows what a program makes where it makes images, else how its longest `fit` went; some
programs have none. That of a notebook is the last one that it shows.
"""

import contextlib
import inspect
import io
import json
import os
import pathlib
import re
import resource
import runpy
import subprocess
import sys
import time

from pictures import save, save_dots
from programs import NOTEBOOKS

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
EXAMPLES, SOURCES = ROOT / "examples", ROOT / "colab" / "sources"
ASSETS = HERE.parent / "assets"
NATS = "nats of surprise"
LINES = 60  # what is longer is cut in its middle

# program -> (a function of it that is given or gives what is drawn, how to draw that)
DRAWN = {
    "actor_critic": (
        "train",
        lambda given, result: episodes(result),
    ),
    "ddpm": ("nearest", lambda given, result: images(given[0])),
    "ensemble": ("main", lambda given, result: bars({n: v[1] for n, v in result.items()}, NATS)),
    "explain_images": ("main", lambda given, result: bars(result, "share that lies on the digit")),
    "gan": ("judged", lambda given, result: images(given[0])),
    "maml": ("main", lambda given, result: errors_after(result, (0, 1, 5))),
    "pure_research": ("main", lambda given, result: of_members(result[0], result[1])),
    "two_processes": ("main", lambda given, result: losses(result[0][0], result[1])),
    "vae": ("show", lambda given, result: images(given[0])),
}


def main(names):
    """Runs programs one after the other, each in a process of its own."""
    every = [path.stem for path in sorted(EXAMPLES.glob("*.py"))]
    for name in names or every + [f"notebooks/{name}" for name in NOTEBOOKS]:
        kept = kept_of(name)
        kept.parent.mkdir(exist_ok=True)
        kept.with_suffix(".png").unlink(missing_ok=True)
        begin = time.perf_counter(), processor_seconds()
        done = subprocess.run(
            [sys.executable, __file__, "--one", name],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"JAX_PLATFORMS": "cpu", "MPLBACKEND": "agg"},
        )
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        kept.with_suffix(".txt").write_text(shortened(done.stdout))
        passed, worked = time.perf_counter() - begin[0], processor_seconds() - begin[1]
        keep_seconds(kept, min(passed, worked))  # the former is too long on a machine that is busy
        print(f"{name}: {len(done.stdout.splitlines())} lines")


def kept_of(name):
    """Where the results of a program lie, without a suffix."""
    return ASSETS / (name if name.startswith("notebooks/") else f"examples/{name}")


def processor_seconds():
    """That ended processes of this one have taken."""
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken.ru_utime + taken.ru_stime


def keep_seconds(kept, seconds):
    """Writes how long a program took beside those of the others."""
    file = kept.with_name("seconds.json")
    all_ = json.loads(file.read_text()) if file.exists() else {}
    all_[kept.name] = round(seconds, 1)
    file.write_text(json.dumps(all_, indent=1, sort_keys=True) + "\n")


def shortened(text):
    """What a program printed, without marks of a terminal, cut in its middle where it is long."""
    lines = [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]
    if len(lines) > LINES:
        lines = lines[: LINES // 2] + ["…"] + lines[-LINES // 2 :]
    return "\n".join(lines).strip("\n") + "\n"


def run_one(name):
    """Runs a program or a notebook as it stands, and draws."""
    figure = of_notebook(name) if name.startswith("notebooks/") else of_example(name)
    if figure is not None:
        save(figure, kept_of(name).with_suffix(".png"))


def of_notebook(name):
    """Runs one; the last figure that it shows."""
    from matplotlib import pyplot

    runpy.run_path(str(SOURCES / f"{pathlib.Path(name).name}.py"))
    return pyplot.gcf()


def of_example(name):
    """Runs one; its figure, or None."""
    histories, seen = [], []
    with watching_fit(histories):
        module = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name=name)
        main = module["main"]
        if "picture" in inspect.signature(main).parameters:
            with io.BytesIO() as dots:
                main(picture=dots)
                save_dots(dots, kept_of(name).with_suffix(".png"))
            return None
        main.__globals__.update(watched(name, module, seen))
        main.__globals__["main"]()
    if seen:
        return DRAWN[name][1](*seen[-1])
    if histories:
        return max(histories, key=lambda history: len(history.epoch)).plot()
    return None


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


def bars(values, label):
    """A bar for each value, by its name."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.6, 3))
    axis.barh(list(values), list(values.values()))
    axis.invert_yaxis()
    axis.set_xlabel(label)
    return figure


def errors_after(found, steps):
    """The errors of each way of training after some steps."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.6, 3))
    for name, errors in found.items():
        axis.plot(steps, errors, "o-", label=name)
    axis.set(yscale="log", xlabel="steps of gradient descent", ylabel="error on new waves")
    axis.legend(frameon=False)
    return figure


def of_members(accuracies, norms):
    """The accuracy of each member over its learning rate, and the norms of rows' gradients."""
    from matplotlib import pyplot
    import numpy as np

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(7, 3), layout="constrained")
    left.plot(np.geomspace(1e-4, 1e-1, len(accuracies)), accuracies, "o-")
    left.set(xscale="log", xlabel="learning rate", ylabel="accuracy")
    right.hist(norms, bins=12)
    right.set(xlabel="norm of a digit's gradient", ylabel="digits")
    return figure


def losses(together, alone):
    """The losses of two processes and of one, epoch by epoch."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(4.6, 3))
    axis.plot(together["losses"], linewidth=4, alpha=0.4, label="two processes")
    axis.plot(alone["losses"], label="one")
    axis.set(xlabel="epoch", ylabel="loss")
    axis.legend(frameon=False)
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
