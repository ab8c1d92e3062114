"""Commands of jkeras: programs written for Keras, and the examples that come with the library."""

import argparse
import ast
import importlib
import pathlib
import runpy
import sys

import jkeras
from jkeras.core.errors import suggestion


def main(arguments=None):
    """Runs the command that the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m jkeras", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser(
        "run", help="run a program written for Keras: its `import keras` gives jkeras"
    )
    run.add_argument(
        "-m", dest="module", action="store_true", help="the program is a module, as in `python -m`"
    )
    run.add_argument(
        "--private",
        action="append",
        default=[],
        metavar="KERAS.SRC.MODULE=MODULE",
        help="what stands in for a private module of Keras, as in "
        "keras.src.callbacks=jkeras.callbacks",
    )
    run.add_argument("program", help="path of a script, or with -m the name of a module")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    run.set_defaults(
        command=lambda given: run_program(
            given.program,
            given.arguments,
            given.module,
            dict(pair.split("=", 1) for pair in given.private),
        )
    )
    examples = commands.add_parser(
        "examples", help="list the examples, or run one: `examples digits`"
    )
    examples.add_argument("name", nargs="?", help="name of an example, or its first letters")
    examples.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the example")
    examples.set_defaults(command=lambda given: run_example(given.name, given.arguments))
    given = parser.parse_args(arguments)
    given.command(given)


def run_program(program, arguments, is_module=False, private=()):
    """Runs a script or module as `python` would, with jkeras in the place of Keras."""
    jkeras.install_as_keras(
        {name: importlib.import_module(stand_in) for name, stand_in in dict(private).items()}
    )
    sys.argv = [program, *arguments]
    if is_module:
        sys.path.insert(0, "")
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.path.insert(0, str(pathlib.Path(program).resolve().parent))
        runpy.run_path(program, run_name="__main__")


def example_files():
    """Dict from the names of the examples to their files: in the installed package, or beside it in
    a checkout.
    """
    package = pathlib.Path(jkeras.__file__).parent
    folder = next(at for at in (package / "examples", package.parent / "examples") if at.is_dir())
    return {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}


def run_example(name, arguments=()):
    """Runs the example of that name, or the only one whose name begins so; without a name, lists
    them all.
    """
    files = example_files()
    if name is None:
        for title, path in files.items():
            print(f"{title:28} {ast.get_docstring(ast.parse(path.read_text())).splitlines()[0]}")
        return
    found = [title for title in files if title == name] or [
        title for title in files if title.startswith(name)
    ]
    if len(found) != 1:
        known = found or list(files)
        sys.exit(
            f"There {'are several examples' if found else 'is no example'} {name!r}: "
            f"{', '.join(known)}.{suggestion(name, known)}"
        )
    sys.argv = [str(files[found[0]]), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
