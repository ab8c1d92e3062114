"""What every test shares: the backend of Keras, quick compilation, one cache of it for all workers,
clean sessions.
"""

import os
import pathlib
import signal
import tempfile

from tests.quick_xla import quick_flags
from tests.thinning import is_file_in_turn, let_rows_rest, turn_of_commit

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_PLATFORMS"] = "cpu"
CACHE = pathlib.Path(
    os.environ.setdefault(
        "JAX_COMPILATION_CACHE_DIR", os.path.join(tempfile.gettempdir(), "jkeras-test-jax-cache")
    )
)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
CACHE.mkdir(parents=True, exist_ok=True)

# Compiling is most of what the tests do. The doctests and most recorded functions in .ci/run are
# compiled as users' programs are.
if "XLA_FLAGS" not in os.environ:  # the workers have what is set here
    os.environ["XLA_FLAGS"] = quick_flags()
if "JKERAS_TURN" not in os.environ:
    os.environ["JKERAS_TURN"] = turn_of_commit()

import keras
import pytest

import jkeras
from tests.bounded_memory import (  # noqa: F401
    bounded_memory,
    older_things_are_frozen,
    pytest_collection_finish,
)


def pytest_configure(config):
    """Warnings are errors here, apart from those that the oracle causes itself; Ctrl-C works in the
    background too.
    """
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        os.environ["JKERAS_ROWS"] = "in turn"  # for the workers, too, which are given paths
    # a shell has it ignored by what it runs there
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for line in (
        r"ignore:__array__ implementation doesn't accept a copy:DeprecationWarning",
        "ignore::UserWarning:keras",
        # by Keras for each int64 of its own, from JAX 0.12 on; ours are made int32 before
        "ignore:Explicitly requested dtype int64 requested in ShapeDtypeStruct:UserWarning",
    ):
        config.addinivalue_line("filterwarnings", line)


def pytest_addoption(parser):
    """`--file-turns`, of `.ci/run`."""
    words = "one file in so many is run, by the day of the commit: each has its turn"
    parser.addoption("--file-turns", type=int, default=1, metavar="N", help=words)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leaves out the files whose turn it is not, and rows where all tests are run."""
    if os.environ.get("JKERAS_ROWS") == "in turn":
        let_rows_rest(items)
    turns, root = config.getoption("file_turns"), config.rootpath
    groups = {True: [], False: []}
    for item in items:
        file = item.path.relative_to(root).as_posix()
        groups[is_file_in_turn(file, turns)].append(item)
    config.hook.pytest_deselected(items=groups[False])
    items[:] = groups[True]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Gives a worker whole files, so that what a file compiles is compiled once and can then be
    forgotten.
    """
    from xdist.scheduler import LoadFileScheduling

    class WholeFiles(LoadFileScheduling):
        def _split_scope(self, nodeid):
            """Examples share nothing: they come last, one by one, while the last files run."""
            return nodeid if "test_examples.py::" in nodeid else super()._split_scope(nodeid)

    return WholeFiles(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture(autouse=True)
def clean_session():
    """Automatic names start again and both libraries are seeded alike before each test."""
    for library in (jkeras, keras):
        library.utils.clear_session(free_memory=False)
        library.utils.set_random_seed(7)
        library.config.disable_interactive_logging()
        library.config.set_dtype_policy("float32")
