"""Runs a program of a bug report, and the same program with Keras."""

import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
PROGRAMS = pathlib.Path(__file__).parent / "programs"
IMPORT = re.compile(r"^(\s*)(import|from) jkeras\b", re.M)
LIMIT_S = 300


def for_keras(program: str) -> str:
    """The same program with Keras's names.

    >>> print(for_keras("import jkeras\\nfrom jkeras.layers import Dense\\njkeras.ops.ones(1)"))
    import keras as jkeras
    from keras.layers import Dense
    jkeras.ops.ones(1)
    """

    def other(found: re.Match) -> str:
        indent, word = found.groups()
        following = program[found.end() : found.end() + 1]
        is_whole = word == "import" and following not in (".", " ")
        return f"{indent}{word} keras as jkeras" if is_whole else f"{indent}{word} keras"

    return IMPORT.sub(other, program)


def printed(program: str, folder: pathlib.Path) -> subprocess.CompletedProcess:
    """What a program prints, run in a folder of its own."""
    path = folder / "program.py"
    path.write_text(program)
    environment = {"JAX_PLATFORMS": "cpu", "KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, path.name],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


def fault_of(program: str, folder: pathlib.Path) -> str:
    """What is wrong with a program: how it ends, or what it prints otherwise than with Keras. A
    program that has an `assert` is its own oracle, and is run with jkeras alone; "": all is well.
    """
    ours = printed(program, folder)
    if ours.returncode:
        return f"it ends with {ours.stderr.strip().splitlines()[-1:]}"
    if re.search(r"^\s*assert\b", program, re.M):
        return ""
    theirs = printed(for_keras(program), folder)
    if theirs.returncode:
        return f"it has no `assert`, and Keras ends with {theirs.stderr.strip().splitlines()[-1:]}"
    if not theirs.stdout.strip():
        return "it has no `assert`, and prints nothing that could be compared with Keras"
    same = ours.stdout == theirs.stdout
    return "" if same else f"it prints {ours.stdout!r}, and Keras {theirs.stdout!r}"
