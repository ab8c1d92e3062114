"""Figures of matplotlib as small files of pictures."""

import io
import pathlib
from typing import Any

COLORS, LARGEST = 128, 40_000  # bytes


def save(figure: Any, path: pathlib.Path, dots_per_inch: int = 80) -> None:
    """Writes a figure as a PNG of few colors; an error where it is larger than it may be."""
    with io.BytesIO() as dots:
        figure.savefig(dots, dpi=dots_per_inch, bbox_inches="tight")
        save_dots(dots, path)


def save_dots(file: Any, path: pathlib.Path) -> None:
    """The same of a figure that was written."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(file).convert("RGB").quantize(COLORS).save(path, optimize=True)
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path}: {size} bytes, expected {LARGEST} at most")
