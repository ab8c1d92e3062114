"""Writes docs/promises.md: what README.md and docs/ promise, each with tests that would fail if it
were false.

    python docs/make_promises.py [--check]

A promise is a sentence, or the row of a table, that has one of `WORDS` or that a test names by a
part of its text: `@pytest.mark.promise("a second one is refused")`. A part of the head of a table
is for each of its rows; a sentence may also name its test. Headings promise nothing, and figures
that a script writes are one promise, whose test is that they are up to date. Sentences that only
sound like a promise stand in docs/not_promises.txt, with the reason. With --check nothing is
written: exit status 1 says that a promise has no test, that a test names none, or that the page
is out of date.
"""

import ast
import itertools
import pathlib
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "promises.md"
ASIDE = ROOT / "docs" / "not_promises.txt"
LEFT_OUT = {"gaps.md", "plan.md", "promises.md"}  # written by scripts, or for us alone
WORDS = re.compile(
    r"\b(never|same bits|bit (?:for|by) bit|to the bit|refus\w+|raises?|equals?|identical|at most|"
    r"at least|nothing|none of|no other|always|exactly|the same|as in Keras|as Keras|that of Keras|"
    r"are those of|is that of|ValueError|errors?|warns|warning|not lost|whatever|wherever|however|"
    r"any|every|only|alone|whole|cannot|unless|until|otherwise|within|once|keeps|leaves|stays?|"
    r"left (?:out|alone|as)|goes? on|ends|counts|checked|as (?:it is|they are|before)|names it|"
    r"(?:says?|said) so|is said|written by docs)\b",
    re.IGNORECASE,
)
SHORTEST = 16  # letters of a part that tells one sentence from the others
NAMED = re.compile(r"`(tests/[\w/]+\.py)`")
ENDS = re.compile(r"(?<=[.!?;:]) +(?=[A-Z`*(\[])")
BLOCK = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
BREAK = re.compile(r"\n\s*\n|\n(?=\s*(?:[|*#]|-\s|\d+\.\s))")
WRITTEN = re.compile(
    r"<!-- (\w+): begin ?(\w*), by (docs/\w+\.py) -->.*?<!-- \1: end -->", re.DOTALL
)
UP_TO_DATE = {  # script: the test that what it writes is up to date
    "docs/make_figures.py": "tests/docs/test_figures.py::test_pages_are_up_to_date",
    "docs/make_gaps.py": "tests/test_project.py::test_tables_from_check_api_are_up_to_date",
}


class Sentence(NamedTuple):
    """One sentence of a page, or one row of a table."""

    page: str
    text: str
    head: str = ""  # of its table, where it is a row

    @property
    def may_promise(self) -> bool:
        """Whether it says something, as headings and the head of a table do not."""
        return not self.text.startswith("#") and self.text != self.head


class Report(NamedTuple):
    """What was found: promises with their tests, and what is wrong."""

    promises: dict[Sentence, list[str]]
    problems: list[str]


def sentences_of(page: str, text: str) -> list[Sentence]:
    """The sentences of a page; a row of a table, a heading, and what a script writes are one."""
    text = WRITTEN.sub(
        lambda found: f"\n\nThe {found[2] or 'table of'} {found[1]}, written by {found[3]}\n\n",
        BLOCK.sub("", text),
    )
    lines = [" ".join(paragraph.split()) for paragraph in BREAK.split(text)]
    found, head = [], ""
    for line, below in itertools.zip_longest(lines, lines[1:], fillvalue=""):
        is_row = line.startswith("|")
        if below.startswith("|") and not below.strip("|:- "):
            head = line
        parts = [line] if is_row else ENDS.split(line)
        found += [Sentence(page, part, is_row * head) for part in parts if part.strip("|:- ")]
    return found


def all_sentences() -> list[Sentence]:
    """The sentences of README.md and of the pages in docs/ that may promise something."""
    pages = [path for path in sorted(ROOT.glob("docs/*.md")) if path.name not in LEFT_OUT]
    return [
        sentence
        for path in [ROOT / "README.md", *pages]
        for sentence in sentences_of(str(path.relative_to(ROOT)), path.read_text())
        if sentence.may_promise
    ]


def marked(path: pathlib.Path) -> dict[str, list[str]]:
    """{test: parts of promises} by the markers of one file of tests."""
    text = path.read_text()
    if "mark.promise" not in text:
        return {}
    found = {}
    for name, node in _tests(ast.parse(text).body):
        parts = [part for decorator in node.decorator_list for part in _parts(decorator)]
        if parts:
            found[f"{path.relative_to(ROOT)}::{name}"] = parts
    return found


def _tests(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Functions and classes, and the methods of these, by their names for pytest."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}{node.name}::")


def _parts(decorator: ast.expr) -> list[str]:
    """The arguments of `@pytest.mark.promise(...)`, or of that of a parameter."""
    return [
        ast.literal_eval(argument)
        for node in ast.walk(decorator)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.promise"
        for argument in node.args
    ]


def aside() -> list[tuple[str, str]]:
    """(part of a sentence, why it is no promise) of docs/not_promises.txt."""
    lines = [line for line in ASIDE.read_text().splitlines() if line and not line.startswith("# ")]
    return [tuple(line.rsplit(" | ", 1)) for line in lines]


def _with(part: str, sentences: list[Sentence]) -> list[Sentence]:
    """The sentences that a part stands for: those that have it, and the rows below it."""
    part = " ".join(part.split())
    return [s for s in sentences if part in s.text or part in s.head]


def _named_in(sentence: Sentence) -> list[str]:
    """The tests that a sentence names, or those of the script that writes it."""
    written = [test for name, test in UP_TO_DATE.items() if sentence.text.endswith(f"by {name}")]
    return written or NAMED.findall(sentence.text)


def _is_promise(sentence: Sentence) -> bool:
    return bool(WORDS.search(sentence.text) or _named_in(sentence))


def report() -> Report:
    """Each promise with its tests, and what is wrong."""
    sentences = all_sentences()
    promises = {s: _named_in(s) for s in sentences if _is_promise(s)}
    problems = []
    for part, _ in aside():
        found = [s for s in _with(part, sentences) if s in promises]
        if not found:
            problems.append(f"docs/not_promises.txt: no sentence with {part!r}")
        for sentence in found:
            del promises[sentence]
    for path in sorted(ROOT.glob("tests/**/*.py")):
        for test, parts in marked(path).items():
            for part in parts:
                found = _with(part, sentences)
                if not found or len(part) < SHORTEST:
                    problems.append(f"{test}: no sentence with {part!r}, or too short a part")
                for sentence in found:
                    tests = promises.setdefault(sentence, [])
                    tests += [test] * (test not in tests)
    promises = {sentence: promises[sentence] for sentence in sentences if sentence in promises}
    problems += [f"{s.page}: no test: {s.text}" for s, tests in promises.items() if not tests]
    return Report(promises, problems)


def written(promises: dict[Sentence, list[str]]) -> str:
    """The text of docs/promises.md."""
    tests = {test for named in promises.values() for test in named}
    lines = [
        "# What is promised, and the test of each",
        "",
        "Written by `docs/make_promises.py` from the sentences of README and docs, and from the "
        "markers in the tests.",
        "Each test would fail if its sentence were false.",
        "",
        f"{len(all_sentences()):,} sentences and rows of tables; {len(promises):,} of them promise "
        f"something, to which {len(tests):,} tests and files of tests hold them.",
    ]
    for page in dict.fromkeys(sentence.page for sentence in promises):
        lines += ["", f"## {page}", ""]
        for sentence, tests in promises.items():
            if sentence.page == page:
                lines.append(f"* {_plain(sentence.text)}")
                lines += [f"    * `{test}`" for test in tests]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """A sentence without the marks of lists, tables and headings, and without links."""
    text = re.sub(r"^[*#-]+ |^\d+\. ", "", text.strip("| "))
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return text.replace(" | ", " — ").replace("| |", "—")


def main(arguments: list[str]) -> None:
    """Writes the page, or says what is wrong."""
    found = report()
    text = written(found.promises)
    problems = list(found.problems)
    if "--check" not in arguments:
        PAGE.write_text(text)
    elif not PAGE.exists() or PAGE.read_text() != text:
        problems.append("docs/promises.md is out of date: run python docs/make_promises.py")
    print("\n".join(problems) or f"{len(found.promises)} promises, each with a test")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main(sys.argv[1:])
