"""Results in a JSON file, to which one run after the other adds what it measured."""

import json
import pathlib


def merged(old, new):
    """Both results; what both have is the new one's."""
    limits = [one.get("limit", {}).get("seconds", {}) for one in (old, new)]
    others = {one["name"]: one for run in (old, new) for one in run.get("others", [])}
    found = {**old, **{key: value for key, value in new.items() if value}}
    found["works"] = old.get("works", {}) | new["works"]
    found["limit"] = found["limit"] | {"seconds": limits[0] | limits[1]}
    found["others"] = list(others.values())
    found["about"] = list(dict.fromkeys(old.get("about", []) + new["about"]))
    return found


def add(path, results):
    """Adds results to those of a file, and gives all it has then."""
    path = pathlib.Path(path)
    results = merged(json.loads(path.read_text()), results) if path.exists() else results
    path.write_text(json.dumps(results))
    return results
