"""What people type into the search of the site leads to its section."""

import json
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SECTIONS = {
    "GPU": "faq/#gpu-and-tpu",
    "TPU": "faq/#gpu-and-tpu",
    "out of memory": "faq/#out-of-memory",
    "class weights": "preprocessing/#class-weights-and-sample-weights",
    "class_weight": "preprocessing/#class-weights-and-sample-weights",
    "imbalanced": "preprocessing/#class-weights-and-sample-weights",
    "confusion matrix": "pictures/#confusion-matrix",
    "learning curves": "pictures/#learning-curves",
    "worst examples": "pictures/#worst-examples",
    "early stopping": "tuning/#early-stopping-and-a-rate-that-falls",
}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="the search is a script of the page")
def test_the_section_is_found_first(tmp_path):
    pytest.importorskip("zensical")
    folder, scripts = tmp_path / "site", ROOT / "docs" / "site"
    subprocess.run([sys.executable, scripts / "build.py", folder], check=True, cwd=ROOT)
    command = ["node", scripts / "search.js", folder, *SECTIONS]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = {query: json.loads(line)[:1] for query, line in zip(SECTIONS, lines, strict=True)}
    assert found == {query: [section] for query, section in SECTIONS.items()}


def test_these_sections_are_there():
    for section in SECTIONS.values():
        page, _, anchor = section.partition("/#")
        heads = [
            line.removeprefix("## ").lower().replace(",", "").replace(" ", "-")
            for line in (ROOT / "docs" / f"{page}.md").read_text().splitlines()
            if line.startswith("## ")
        ]
        assert anchor in heads
