"""Programs of the pages of docs/, of which other scripts measure what the pages say of them."""

import pathlib
import re
import typing

DOCS = pathlib.Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


def programs(page: str) -> list[str]:
    """The Python blocks of docs/PAGE.md."""
    return BLOCK.findall((DOCS / f"{page}.md").read_text())


def run(program: str, names: dict[str, typing.Any] | None = None) -> dict[str, typing.Any]:
    """Runs one, with the names of those before it; returns all names."""
    names = {"__name__": "page"} if names is None else names
    exec(program, names)
    return names
