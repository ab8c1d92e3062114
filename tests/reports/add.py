"""Makes the program of a bug report a test: `python -m tests.reports.add program.py wrong_mask`.

The program is copied to tests/reports/programs/wrong_mask.py, whose test fails until the bug is
mended. A program with an `assert` says itself what is right; another one has to print what Keras
prints. What it does now is printed.
"""

import argparse
import pathlib
import tempfile

from tests.reports.running import PROGRAMS, fault_of


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reports.add", description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("name", help="of the test, as of a module")
    given = parser.parse_args(arguments)
    path = PROGRAMS / f"{given.name}.py"
    if not given.name.isidentifier():
        parser.error(f"name: expected one as of a module, received {given.name!r}")
    if path.exists():
        parser.error(f"{path} is there already")
    program = given.program.read_text()
    with tempfile.TemporaryDirectory() as folder:
        fault = fault_of(program, pathlib.Path(folder))
    path.write_text(program)
    print(f"{path}: {fault or 'nothing is wrong with it here'}")


if __name__ == "__main__":
    main()
