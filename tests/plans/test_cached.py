"""What compilers say is asked once, where there is a folder of compiled programs."""

import gzip
import types

import jax
import pytest

from jkeras.plans.cached import Compiled, Refused, compiled_for

DEVICES = [types.SimpleNamespace(device_kind="never seen", platform="tpu")]
SIZES = types.SimpleNamespace(
    argument_size_in_bytes=6,
    temp_size_in_bytes=5,
    output_size_in_bytes=7,
    alias_size_in_bytes=4,
    generated_code_size_in_bytes=2,
)
TEXT = "ENTRY %main"


class Lowered:
    """A program whose compiler counts what it is asked."""

    def __init__(self, text, error=None):
        self.text, self.error, self.asked = text, error, 0

    def as_text(self):
        return self.text

    def compile(self, compiler_options):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return types.SimpleNamespace(memory_analysis=lambda: SIZES, as_text=lambda: TEXT)


@pytest.fixture
def folder(tmp_path):
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "new"))
    yield tmp_path / "new"
    jax.config.update("jax_compilation_cache_dir", before)


def asked(text, times=2, **options):
    """(what is said of a program, how often its compiler was asked), of a number of plans."""
    programs = [Lowered(text, **options) for _ in range(times)]
    said = [compiled_for(program, DEVICES) for program in programs]
    assert said[0] == said[-1]
    return said[0], sum(program.asked for program in programs)


@pytest.mark.promise("a later process finds its plans there, too")
def test_an_answer_is_kept_for_its_program(folder):
    assert asked("one") == (Compiled(6, 5, 3, 2, TEXT), 1)
    assert asked("another")[1] == 1
    assert len(list(folder.iterdir())) == 2


def test_that_a_program_does_not_fit_is_kept_too(folder):
    error = jax.errors.JaxRuntimeError("needs (20.0G) exceeds available hbm (16.0G)")
    assert asked("large", error=error) == (Refused(20 * 2**30, 16 * 2**30), 1)


def test_flags_of_the_compiler_make_another_program(folder, monkeypatch):
    asked("one")
    monkeypatch.setenv("LIBTPU_INIT_ARGS", "--never_seen")
    assert asked("one")[1] == 1


# without the time: both processes of a run collect the same tests
@pytest.mark.parametrize("left", [b"", b"never seen", gzip.compress(b'{"text": 1}', mtime=0)])
def test_what_cannot_be_read_is_asked_again(folder, left):
    asked("one")
    for path in folder.iterdir():
        path.write_bytes(left)
    assert asked("one") == (Compiled(6, 5, 3, 2, TEXT), 1)


def test_without_a_folder_each_is_asked(folder):
    jax.config.update("jax_compilation_cache_dir", None)
    assert asked("one")[1] == 2


def test_a_folder_that_cannot_be_written(folder):
    folder.write_text("")
    assert asked("one")[1] == 2
