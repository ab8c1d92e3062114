"""The sections of docs/records.md, from what `python -m benchmarks.records` wrote."""

import pathlib
from typing import Any

PICTURES = pathlib.Path(__file__).parent / "assets" / "records"


def sections(found: dict[str, dict[str, Any]], group: str) -> str:
    """Those of a group's records: a heading, what is done, the numbers, and the picture."""
    records = {name: each["found"] for name, each in found.items()}
    return "\n\n".join(
        _section(name, each) for name, each in sorted(records.items()) if each["group"] == group
    )


def _section(name: str, record: dict[str, Any]) -> str:
    parts = [f"### {record['title']}", record["about"], _table(record["rows"])]
    if (PICTURES / f"{name}.png").exists():
        parts.append(f"![{record['title']}](assets/records/{name}.png)")
    parts.append(_source(name, record))
    return "\n\n".join(parts)


def _table(rows: list[dict[str, Any]]) -> str:
    columns = {"published": "published", "keras": "beside"}
    shown = [key for key in columns if any(row[key] is not None for row in rows)]
    head = ["number", "jkeras", *(columns[key] for key in shown)]
    lines = [[row["what"], _ours(row), *(_text(row[key]) for key in shown)] for row in rows]
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *lines])


def _ours(row: dict[str, Any]) -> str:
    text = _text(row["ours"])
    if row["spread"] is not None:
        text += f" ± {row['spread']:.2g}"
    return text if row["holds"] else f"**{text}: not reached**"


def _text(value: Any) -> str:
    """A number with four digits, in full where it is whole."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:.4g}"
    return "" if value is None else str(value)


def _source(name: str, record: dict[str, Any]) -> str:
    of = record["licence"]
    if record["packages"]:
        of = f"of {', '.join(record['packages'])} ({of})"
    command = f"`python -m benchmarks.records {name}`"
    return f"{command}, {record['seconds']:.0f} s; {of}. Published: {record['source']}."
