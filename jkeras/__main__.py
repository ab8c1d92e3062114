"""Commands of jkeras: programs written for Keras, jobs of several processes, examples."""

import argparse
import ast
import importlib
import importlib.machinery
import importlib.util
import os
import pathlib
import runpy
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import jkeras
from jkeras.core.errors import readable, suggestion


WRONG_CALL = 2  # the exit status, as argparse has it
NEEDS_A_HAND = 1  # that of `modernize` where a line of the new program will not run


class WrongCall(Exception):
    """The arguments of a command name what is not there, or make no sense."""


def main(arguments: list[str] | None = None) -> None:
    """Runs the command that the arguments name; a wrong call is one line on the error stream."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except WrongCall as error:
        text = readable(f"jkeras {options.name_of_command}: {error}", lines=False)
        print(text, file=sys.stderr)
        sys.exit(WRONG_CALL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m jkeras", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    program = commands.add_parser(
        "run", help="run a program written for Keras: its `import keras` gives jkeras"
    )
    program.add_argument(
        "-m", dest="module", action="store_true", help="the program is a module, as in `python -m`"
    )
    program.add_argument(
        "--private",
        action="append",
        default=[],
        metavar="KERAS.SRC.MODULE=MODULE",
        help="what stands in for a private module of Keras, as in "
        "keras.src.callbacks=jkeras.callbacks",
    )
    program.add_argument(
        "--keras2",
        action="store_true",
        help="the program is written for Keras 2 or tf.keras; a warning says what was translated",
    )
    program.add_argument("program", help="path of a script, or with -m the name of a module")
    program.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    program.set_defaults(command=_run_program)
    old = commands.add_parser(
        "modernize", help="print a program written for Keras 2 or tf.keras as one for Keras 3"
    )
    old.add_argument("program", help="path of a script")
    old.set_defaults(command=_modernize)
    _add_launch(commands)
    _add_reproduce(commands)
    _add_serve(commands)
    _add_doctor(commands)
    examples = commands.add_parser(
        "examples", help="list the examples, or run one: `examples digits`"
    )
    examples.add_argument("name", nargs="?", help="name of an example, or its first letters")
    examples.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the example")
    examples.set_defaults(command=_run_example)
    for name, command in commands.choices.items():
        command.set_defaults(name_of_command=name)
    return parser


def _add_launch(commands: Any) -> None:
    """Adds the command `launch`."""
    job = commands.add_parser(
        "launch",
        help="run a program in several processes, which are started again where one fails",
    )
    job.add_argument("--processes", type=int, required=True, help="how many, on this machine")
    job.add_argument(
        "--retries", type=int, default=0, help="how often all are started again (default: 0)"
    )
    job.add_argument(
        "--grace",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="from the signal to stop until what still runs is killed (default: 20)",
    )
    job.add_argument(
        "--port",
        type=int,
        help="of the first process, one higher with each restart (default: a free one)",
    )
    job.add_argument("--nodes", type=int, default=1, help="how many machines (default: 1)")
    job.add_argument("--node-rank", type=int, default=0, help="the number of this one, from 0")
    job.add_argument(
        "--coordinator", metavar="HOST:PORT", help="of the first machine, where there are several"
    )
    job.add_argument("-m", dest="module", action="store_true", help="the program is a module")
    job.add_argument("program", help="path of a script, or with -m the name of a module")
    job.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments of the program")
    job.set_defaults(command=_launch)


def _add_reproduce(commands: Any) -> None:
    """Adds the command `reproduce`."""
    from jkeras.report.command import add_arguments, reproduce

    again = commands.add_parser(
        "reproduce",
        help="run a training again whose report there is, and say at which step the two part",
    )
    add_arguments(again)
    again.set_defaults(command=lambda options: sys.exit(reproduce(options)))


def _add_doctor(commands: Any) -> None:
    """Adds the command `doctor`."""
    from jkeras.doctor.command import add_arguments, doctor

    look = commands.add_parser(
        "doctor",
        help="print what a bug report needs, and on an accelerator whether all is as it should be",
    )
    add_arguments(look)
    look.set_defaults(command=lambda options: sys.exit(doctor(options)))


def _add_serve(commands: Any) -> None:
    """Adds the command `serve`."""
    from jkeras.generation.http.command import add_arguments, serve

    server = commands.add_parser(
        "serve", help="serve a model of language over HTTP, by OpenAI's interface"
    )
    add_arguments(server)

    def run(options: argparse.Namespace) -> None:
        try:
            serve(options)
        except (ValueError, ImportError, OSError) as error:
            raise WrongCall(error) from error

    server.set_defaults(command=run)


def _launch(options: argparse.Namespace) -> None:
    from jkeras.distribution.launch import Job, launch

    program = [*(["-m"] if options.module else []), options.program, *options.arguments]
    try:
        host, port = _meeting_place(options)
        job = Job(
            command=[sys.executable, *program],
            processes=options.processes,
            retries=options.retries,
            grace=options.grace,
            nodes=options.nodes,
            node_rank=options.node_rank,
            host=host,
            port=port,
        )
    except ValueError as error:
        raise WrongCall(error) from None
    sys.exit(launch(job))


def _meeting_place(options: argparse.Namespace) -> tuple[str, int | None]:
    """(host, port) of the first process; the port may be None."""
    if options.coordinator is None:
        return "localhost", options.port
    host, _, port = options.coordinator.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(f"Expected --coordinator HOST:PORT. Received: {options.coordinator}")
    return host, int(port)


def _run_program(options: argparse.Namespace) -> None:
    private = dict(map(_private_module, options.private))
    run_program(options.program, options.arguments, options.module, private, options.keras2)


def _private_module(pair: str) -> tuple[str, str]:
    """(name in Keras, name of what stands in) of an option `--private`."""
    name, separator, stand_in = pair.partition("=")
    if not separator or not (name == "keras" or name.startswith("keras.")):
        raise WrongCall(
            "expected --private KERAS.SRC.MODULE=MODULE, as keras.src.callbacks=jkeras.callbacks. "
            f"Received: {pair}"
        )
    if not _is_module(stand_in):
        raise WrongCall(f"there is no module {stand_in}, which --private {pair} names")
    return name, stand_in


def _is_module(name: str) -> bool:
    """Whether a module of that name can be imported; packages that it lies in are imported."""
    if not all(name.split(".")):
        return False
    parent, _, _ = name.rpartition(".")
    if parent and not _is_module(parent):
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError as error:
        if error.name != name:
            raise  # of what a package imports
        return False
    except ValueError:  # it was imported, and has no spec
        return name in sys.modules


def _modernize(options: argparse.Namespace) -> None:
    from jkeras.keras2 import source
    from jkeras.keras2.modernize import modernize

    path = options.program
    try:
        old = source.read(path)
        text, remarks = modernize(old.text)
    except OSError as error:
        raise WrongCall(f"{path} cannot be read: {error.strerror}") from None
    except SyntaxError as error:
        place = f", line {error.lineno}" if error.lineno else ""
        raise WrongCall(f"{path}{place} is no Python 3: {error.msg}") from None
    except (MemoryError, RecursionError):
        raise WrongCall(f"{path} is nested too deeply") from None
    except (LookupError, ValueError) as error:
        raise WrongCall(f"{path} is no text of a program: {error}") from None
    try:
        _put_out(old.encoded(text))
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WrongCall(f"the program cannot be written: {error.strerror}") from None
    for remark in remarks:
        print(remark, file=sys.stderr)
    if remarks:
        sys.exit(NEEDS_A_HAND)


def _put_out(content: bytes) -> None:
    """Writes bytes to the standard output."""
    out = getattr(sys.stdout, "buffer", None)
    if out is None:
        print(content.decode(errors="replace"), end="")
        return
    sys.stdout.flush()
    out.write(content)
    out.flush()


def _run_example(options: argparse.Namespace) -> None:
    run_example(options.name, options.arguments)


def run_program(
    program: str,
    arguments: list[str],
    is_module: bool = False,
    private: dict[str, str] | tuple = (),
    keras2: bool = False,
) -> None:
    """Runs a script or module as `python` would, with jkeras in the place of Keras."""
    if not is_module:
        _check_script(program)
    jkeras.install_as_keras(
        {name: importlib.import_module(stand_in) for name, stand_in in dict(private).items()},
        keras2=keras2,
    )
    sys.argv = [program, *arguments]
    try:
        if is_module:
            sys.path.insert(0, "")
            _check_module(program)
            runpy.run_module(program, run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, str(pathlib.Path(program).resolve().parent))
            runpy.run_path(program, run_name="__main__")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "tensorflow":
            raise
        _refuse_without_tensorflow(error)
        raise


def _refuse_without_tensorflow(error: ModuleNotFoundError) -> None:
    """Says in one line where a program wants TensorFlow, if that is not installed."""
    if importlib.machinery.PathFinder.find_spec("tensorflow") is not None:
        return
    frames = traceback.extract_tb(error.__traceback__)
    at = next(frame for frame in reversed(frames) if not frame.filename.startswith("<frozen"))
    raise WrongCall(
        f"{at.filename}, line {at.lineno}, imports TensorFlow, which is not installed. "
        "`import keras` gives what tf.keras is, without it; with `pip install tensorflow-cpu` "
        "tf.keras is jkeras; `run --keras2` takes programs for tf.keras 2 without TensorFlow"
    ) from None


def _check_module(name: str) -> None:
    if not _is_module(name):
        raise WrongCall(f"there is no module {name}")
    is_package = importlib.util.find_spec(name).submodule_search_locations is not None
    if is_package and not _is_module(f"{name}.__main__"):
        raise WrongCall(f"{name} is a package without a module __main__, and cannot be run")


def _check_script(path: str) -> None:
    if not os.path.exists(path):
        raise WrongCall(f"there is no file {path}")
    if os.path.isdir(path) and not os.path.exists(os.path.join(path, "__main__.py")):
        raise WrongCall(f"{path} is a folder without a file __main__.py, and cannot be run")
    if not os.access(path, os.R_OK):
        raise WrongCall(f"{path} cannot be read: permission denied")


def example_files() -> dict[str, pathlib.Path]:
    """Dict from the names of the examples to their files: in the installed package, or beside it in
    a checkout.
    """
    package = pathlib.Path(jkeras.__file__).parent
    folder = next(at for at in (package / "examples", package.parent / "examples") if at.is_dir())
    return {path.stem: path for path in sorted(folder.glob("[!_]*.py"))}


def run_example(name: str | None, arguments: Sequence[str] = ()) -> None:
    """Runs the example of that name, or the only one whose name begins so; without a name, lists
    them all.
    """
    files = example_files()
    if name is None:
        for title, path in files.items():
            docstring = ast.get_docstring(ast.parse(path.read_text()))
            print(f"{title:28} {docstring.splitlines()[0]}")
        return
    sys.argv = [str(files[_title(name, files)]), *arguments]
    runpy.run_path(sys.argv[0], run_name="__main__")


def _title(name: str, files: dict[str, pathlib.Path]) -> str:
    """The one example with a name, or with a name that begins so; a wrong call where there
    are none or several.
    """
    if name in files:
        return name
    titles = [title for title in files if title.startswith(name)]
    if len(titles) == 1:
        return titles[0]
    known = titles or list(files)
    count = "are several examples" if titles else "is no example"
    raise WrongCall(f"there {count} {name!r}: {', '.join(known)}.{suggestion(name, known)}")


if __name__ == "__main__":
    main()
