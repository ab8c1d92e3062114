"""How many tests ask what: the figures of docs/testing.md.

    python -m benchmarks.tested

Tests are those that pytest collects in tests/, rows of tables that take turns among them.
"""

import collections
import pathlib
import subprocess
import sys

from benchmarks import kept, runner

QUESTIONS = {
    "as in Keras: numbers, names, programs": (
        "applications common keras2 keras_316 layers ops optimizers parity random wrappers"
    ),
    "as pure functions: transformations, programs, properties": (
        "design programs properties random_programs shell"
    ),
    "files: both ways, hostile ones, those of older releases": "export legacy lora saving",
    "what goes wrong: kills, full disks, wrong use": (
        "debug doctor faults reports test_beginners.py test_errors.py"
    ),
    "training, data, devices": (
        "callbacks data datasets distribution ensembles plans platforms report search training"
    ),
    "language models": "alignment generation quantizers",
    "explaining, uncertainty, privacy, robustness": (
        "distillation explain privacy robust uncertainty"
    ),
    "everything around": (
        "docs policy utils visualization test_benchmarks.py test_examples.py test_exports.py "
        "test_install_lines.py test_notebooks.py test_packaging.py test_project.py "
        "test_structure.py test_stubs.py test_typed.py"
    ),
}


def collected() -> collections.Counter[str]:
    """{folder or file of tests/: how many tests}"""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-m", "", "tests"]
    given = {"cwd": runner.ROOT, "env": runner.ENVIRONMENT, "stdout": subprocess.PIPE, "text": True}
    lines = subprocess.run(command, check=True, **given).stdout.splitlines()
    files = [line.partition("::")[0] for line in lines if "::" in line]
    return collections.Counter(pathlib.PurePath(file).parts[1] for file in files)


def by_question(counts: collections.Counter[str]) -> dict[str, int]:
    """The sums of each question.

    Raises:
        ValueError: a folder has none.
    """
    unknown = counts.keys() - set(" ".join(QUESTIONS.values()).split())
    if unknown:
        raise ValueError(
            f"QUESTIONS: expected each folder of tests in one, {sorted(unknown)} lack it"
        )
    return {text: sum(counts[name] for name in names.split()) for text, names in QUESTIONS.items()}


if __name__ == "__main__":
    kept.keep("tested", "tests", by_question(collected()))
