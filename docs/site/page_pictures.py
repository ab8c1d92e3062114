"""Draws the pictures of the pages in docs/, each of what the programs above it have made.

    python docs/site/page_pictures.py            # all, about two minutes
    python docs/site/page_pictures.py robust

A page shows `![what one sees](assets/pages/NAME.png)`. Its programs run in order, as the tests run
them; where a picture stands, `DRAWN[NAME]` draws it of their names. Needs matplotlib.
"""

import argparse
import os
import pathlib
import re
import tempfile
import textwrap

import jax
import numpy as np
from matplotlib.figure import Figure
from pictures import save

import jkeras

DOCS = pathlib.Path(__file__).resolve().parents[1]
PICTURES = DOCS / "assets" / "pages"
PART = re.compile(
    r"^( *)```python\n(?P<program>.*?)^\1```|!\[[^\]]*\]\(assets/pages/(?P<picture>\w+)\.png\)",
    re.M | re.S,
)
NOT_RUN = "# Not run by the tests: "  # how a program begins that cannot run here


def parts(text):
    """(program, None) or (None, name of a picture) in the order of a page."""
    for found in PART.finditer(text):
        program = found["program"]
        yield program and textwrap.dedent(program), found["picture"]


def draw(page):
    """Runs the programs of a page and writes its pictures, the last program that is needed last."""
    every = list(parts((DOCS / f"{page}.md").read_text()))
    last = max(place for place, (_, picture) in enumerate(every) if picture)
    jkeras.utils.set_random_seed(0)
    names = {"__name__": "page"}
    for program, picture in every[: last + 1]:
        if picture:
            save(DRAWN[picture](names), PICTURES / f"{picture}.png")
        elif not program.startswith(NOT_RUN):
            exec(compile(program, f"{page}.md", "exec"), names)


def axes_of(columns=1, height=2.8):
    """A figure and its axes, side by side."""
    figure = Figure(figsize=(3.6 * columns, height), layout="constrained")
    return figure, figure.subplots(1, columns)


def explain_pixels(names):
    """Attributions of pixels, as the page draws them."""
    rows = slice(0, 5)
    x, y, shares = names["x_test"][rows], names["y_test"][rows], names["shares"][rows]
    return names["explain"].show(x, shares, "signed", labels=y)


def explain_places(names):
    """Grad-CAM over the digits, as the page draws it."""
    return names["explain"].show(names["x_test"][:5], names["places"][:5], "overlay")


def uncertainty_reliability(names):
    """The reliability diagram of the held digits."""
    return names["axes"].figure


def uncertainty_intervals(names):
    """New targets, and the intervals of the regressor and of conformal prediction."""
    inputs, new = names["inputs"][names["new"], 0], names["new"]
    order = inputs.argsort()
    figure, axes = axes_of(height=3.2)
    axes.plot(inputs, names["targets"][new], ".", color="0.3", markersize=3, label="new targets")
    low, high = (np.asarray(names[side])[order] for side in ("lower", "upper"))
    axes.fill_between(inputs[order], low, high, alpha=0.3, label="intervals")
    axes.set(xlabel="x", ylabel="y")
    axes.legend(frameon=False, fontsize="small")
    return figure


def uncertainty_series(names):
    """The demand of the days and the intervals that follow it."""
    days, demand = names["days"][100:], names["demand"][100:]
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.fill_between(days, names["lower"], names["upper"], alpha=0.3, label="intervals")
    axes.plot(days, demand, ".", color="0.3", markersize=3, label="demand")
    axes.set(xlabel="day", ylabel="demand")
    axes.legend(frameon=False, fontsize="small", loc="upper left")
    return figure


def laplace_confidence(names):
    """How sure the model and its Laplace approximation are of digits and of inverted ones."""
    figure, both = axes_of(2)
    kinds = {"digits": names["x_test"], "inverted digits": names["inverted"]}
    predictions = {
        "the model": lambda x: names["model"].predict(x, verbose=0),
        "Laplace": names["fitted"].predict,
    }
    for axes, (title, predict) in zip(both, predictions.items()):
        for label, x in kinds.items():
            sure = np.asarray(predict(x)).max(axis=1)
            axes.hist(sure, bins=20, range=(0, 1), alpha=0.6, label=label)
        axes.set(title=title, xlabel="probability of the predicted class", ylabel="images")
    both[0].legend(frameon=False, fontsize="small", loc="upper left")
    return figure


def laplace_line(names):
    """Two standard deviations around the line, within the data and beyond."""
    x = np.linspace(-10, 10, 200)[:, None]
    line, x_line = names["of_line"], names["x_line"]
    width = 2 * np.sqrt(line.predict(x)[1][:, 0])
    figure, axes = axes_of(height=3.2)
    axes.axhline(0, color="C0", linewidth=1)
    axes.fill_between(x[:, 0], -width, width, alpha=0.3, label="2 standard deviations")
    left = names["y_line"] - line.predict(x_line)[0]
    axes.plot(x_line, left, ".", color="0.3", markersize=3, label="data")
    axes.set(xlabel="x", ylabel="y less the predicted mean")
    axes.legend(frameon=False, fontsize="small")
    return figure


def robust_digits(names):
    """Digits, what the attack makes of them, and what the model says of each."""
    x, moved = np.asarray(names["x_test"]), np.asarray(names["moved"])
    says = [names["model"].predict(rows, verbose=0).argmax(1) for rows in (x, moved)]
    fallen = np.flatnonzero((says[0] == names["y_test"]) & (says[1] != names["y_test"]))[:8]
    figure = Figure(figsize=(7.2, 2.4), layout="constrained")
    for row, images, classes in zip(figure.subplots(2, 8), (x, moved), says):
        for axes, place in zip(row, fallen):
            axes.imshow(images[place].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(classes[place], color="C0" if images is x else "C3", fontsize="medium")
            axes.axis("off")
    return figure


def robust_accuracy(names):
    """The accuracy of both models under attacks of growing distance."""
    distances = np.linspace(0, 0.25, 11)
    figure, axes = axes_of()
    for name, label in (("model", "as usual"), ("hardened", "against the attack")):
        model, right = names[name], []
        for epsilon in distances:
            rows = names["x_test"], names["y_test"]
            given = {"epsilon": float(epsilon), "steps": 10, "bounds": (0.0, 1.0)}
            moved = names["robust"].pgd(model, *rows, **given) if epsilon else rows[0]
            right.append(model.evaluate(moved, rows[1], verbose=0)[1])
        axes.plot(distances, right, "o-", markersize=3, label=f"trained {label}")
    axes.axvline(0.1, color="0.8")
    axes.set(xlabel="epsilon", ylabel="accuracy under attack", ylim=(0, 1))
    axes.legend(frameon=False, fontsize="small")
    return figure


def robust_radii(names):
    """The share of rows whose class is right and certified within a radius."""
    found = names["found"]
    right = np.asarray(found.classes) == names["y_test"][: len(found.classes)]
    radii = np.where(right, np.asarray(found.radii), -1.0)
    distances = np.linspace(0, max(radii.max() * 1.1, 0.1), 200)
    figure, axes = axes_of()
    axes.plot(distances, (radii >= distances[:, None]).mean(1))
    axes.set(xlabel="radius", ylabel="right and certified", ylim=(0, 1.02))
    return figure


def tuning_rates(names):
    """The curve of the learning rate finder."""
    return names["found"].plot().figure


def tuning_trainings(names):
    """The loss of each of the trainings over its rate."""
    figure, axes = axes_of()
    axes.plot(names["rates"], np.asarray(names["logs"]["loss"]), "o-", markersize=3)
    axes.set(xscale="log", yscale="log", xlabel="learning rate", ylabel="loss after 20 steps")
    return figure


DRAWN = {
    one.__name__: one
    for one in (
        *(explain_pixels, explain_places),
        *(uncertainty_reliability, uncertainty_intervals, uncertainty_series),
        *(laplace_confidence, laplace_line, robust_digits, robust_accuracy, robust_radii),
        *(tuning_rates, tuning_trainings),
    )
}


def main():
    """Draws those of the pages that are named, or of all."""
    pages = sorted({name.partition("_")[0] for name in DRAWN})
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", choices=[*pages, []], metavar="PAGE")
    for page in parser.parse_args().pages or pages:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            draw(page)
            os.chdir(DOCS)
        jax.clear_caches()
        print(page)


if __name__ == "__main__":
    main()
