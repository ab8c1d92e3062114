"""Reports read back: nothing of a file is believed before it was looked at."""

import os
import typing

import numpy as np

from jkeras.saving import safe_json
from jkeras.report import trace
from jkeras.report.run_report import FORMAT

FACTS = ("program", "versions", "devices", "settings", "seeds", "model", "compile", "fit", "data")
KINDS = {
    **dict.fromkeys(FACTS, dict),
    "path": str,
    "status": str,
    "weights": dict,
    "every": int,
    "epochs": list,
    "unfinished": dict,
}


class Epoch(typing.NamedTuple):
    """An epoch of a report.

    Attributes:
        number: from 0.
        steps: how many it has.
        rows: the fingerprints of those that are recorded, uint32 (rows, 2).
        weights: their hash after it; None: it was not finished.
        logs: its results.
    """

    number: int
    steps: int
    rows: np.ndarray
    weights: str | None
    logs: dict[str, typing.Any]


class Report(typing.NamedTuple):
    """What a report holds.

    Attributes:
        path: where the training was to write it.
        status: "finished", "running", or what ended it.
        facts: what was clear before the first step, by the names of `FACTS`.
        before, after: hashes of the weights; None: unknown.
        every: of so many steps the fingerprint of the last one is recorded.
        epochs: in order, one that was not finished being the last.
    """

    path: str
    status: str
    facts: dict[str, dict]
    before: str | None
    after: str | None
    every: int
    epochs: list[Epoch]


def read(path: str | os.PathLike) -> Report:
    """The report in a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no report.
    """
    if os.path.exists(path) and not os.path.isfile(path):
        raise ValueError(f"{path} is a folder, a pipe or the like. Give the path of a report.")
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(safe_json.LONGEST + 1)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no report: it is no text ({error.reason}).") from None
    data = safe_json.loads(text, str(path))
    try:
        return _checked(data)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"Expected {path} to be what `fit(report=…)` writes. Received: a JSON file in which "
            f"{error} is not as it is there. Give the path of a report."
        ) from error


def _checked(data: typing.Any) -> Report:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError("'format'")
    for name, kind in KINDS.items():
        if not isinstance(data.get(name), kind):
            raise ValueError(f"'{name}'")
    every = data["every"]
    if every < 1:
        raise ValueError("'every'")
    epochs = [_epoch(epoch, every) for epoch in data["epochs"]]
    if data["unfinished"]["steps"]:
        number = epochs[-1].number + 1 if epochs else data["fit"].get("initial_epoch", 0)
        unfinished = {"epoch": number, "weights": None, "logs": {}, **data["unfinished"]}
        epochs.append(_epoch(unfinished, every))
    weights = data["weights"]
    return Report(
        path=data["path"],
        status=data["status"],
        facts={name: data[name] for name in FACTS},
        before=weights.get("before"),
        after=weights.get("after"),
        every=every,
        epochs=epochs,
    )


def _epoch(data: dict[str, typing.Any], every: int) -> Epoch:
    rows = trace.from_text(data["fingerprints"])
    number, steps = int(data["epoch"]), int(data["steps"])
    if len(rows) != steps // every or not isinstance(data["logs"], dict):
        raise ValueError(f"epoch {number + 1}")
    return Epoch(number, steps, rows, data["weights"], data["logs"])
