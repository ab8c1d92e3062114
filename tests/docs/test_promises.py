"""What README and docs promise has a test; docs/promises.md says which."""

import pytest

from tests.docs.scripts import script


@pytest.fixture(scope="module", name="script")
def of_docs():
    return script("make_promises")


@pytest.fixture(scope="module")
def report(script):
    return script.report()


def test_every_promise_has_a_test(report):
    assert report.problems == []
    assert len(report.promises) > 100


def test_the_page_is_up_to_date(script, report):
    assert script.PAGE.read_text() == script.written(report.promises)


def test_sentences_of_a_page(script):
    text = (
        "# Title\n\nIt never ends. It `stops`\nat once:\n\n```python\nnothing()\n```\n* one; two\n"
    )
    text += "\n| a | never |\n|---|---|\n| b | c |\n"
    assert [one.text for one in script.sentences_of("page", text)] == [
        "# Title",
        "It never ends.",
        "It `stops` at once:",
        "* one; two",
        "| a | never |",
        "| b | c |",
    ]


def test_headings_and_heads_of_tables_promise_nothing(script):
    rows = "## It never ends\n\n| a | never |\n|---|:---:|\n| b | c |\n| d | e |\n\n"
    rows += "| f | g |\n|---|---|"
    sentences = script.sentences_of("page", rows)
    assert [one.head for one in sentences] == ["", *["| a | never |"] * 3, "| f | g |"]
    assert [one.may_promise for one in sentences] == [False, False, True, True, False]
    assert script._with("| a | never |", sentences[2:]) == sentences[2:4]


def test_what_a_script_writes_is_one_promise(script):
    text = (
        "Before.\n<!-- figures: begin speed, by docs/make_figures.py -->\n\n| a | 1.2 |\n\nb\n\n"
        "<!-- figures: end -->\nBehind."
    )
    _, block, _ = script.sentences_of("page", text)
    assert block.text == "The speed figures, written by docs/make_figures.py"
    assert script._named_in(block) == ["tests/docs/test_figures.py::test_pages_are_up_to_date"]


def test_markers_are_found(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "ROOT", tmp_path)
    path = tmp_path / "test_it.py"
    path.write_text(
        "import pytest\n\n\n@pytest.mark.promise('never', 'at most')\n@pytest.mark.slow\n"
        "def test_one():\n    pass\n\n\n@pytest.mark.slow\ndef test_other():\n    pass\n"
    )
    assert script.marked(path) == {"test_it.py::test_one": ["never", "at most"]}
    path.write_text(
        "@pytest.mark.parametrize('a', [1, pytest.param(2, marks=pytest.mark.promise('once'))])\n"
        "def test_one(a):\n    pass\n"
    )
    assert script.marked(path) == {"test_it.py::test_one": ["once"]}
    path.write_text(
        "class TestIt:\n    @pytest.mark.promise('never')\n    def test_one(self):\n        pass\n"
    )
    assert script.marked(path) == {"test_it.py::TestIt::test_one": ["never"]}


def test_a_promise_without_a_test_is_a_problem(script, tmp_path, monkeypatch):
    for folder in ("docs", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "README.md").write_text("It never fails.\n\nIt is never slow.\n")
    (tmp_path / "docs" / "page.md").write_text("A second process is refused at once.\n")
    (tmp_path / "aside.txt").write_text("It is never slow | of others\n")
    (tmp_path / "tests" / "test_it.py").write_text(
        "@pytest.mark.promise('A second process is refused')\ndef test_it():\n    pass\n"
        "@pytest.mark.promise('what nobody says anywhere')\ndef test_no():\n    pass\n"
    )
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "ASIDE", tmp_path / "aside.txt")
    problems = script.report().problems
    assert len(problems) == 2
    assert "what nobody says anywhere" in problems[0]
    assert problems[1] == "README.md: no test: It never fails."
