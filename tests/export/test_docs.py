"""docs/export.md: its programs run."""

import re

from tests.export.test_files import TEXT


def test_programs_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    for program in re.findall(r"```python\n(.*?)```", TEXT, re.S):
        exec(program, names)
    assert names["y"].shape == (8, 10)
    both = names["both"]
    assert sorted(both.endpoints) == ["classes", "probabilities"] and len(both.collections["head"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.stablehlo", "digits.stablehlo", "pairs.stablehlo"]
