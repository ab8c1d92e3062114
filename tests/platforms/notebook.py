"""One notebook of colab/ run on the CPU; then all that it compiled is compiled for TPUs
that are not here as well.

    XLA_FLAGS= python -m tests.platforms.notebook tpu v5e:1x1,v6e:1x1 '{"EPOCHS": 1}'

The last line that it prints is JSON: what `run` returns.
"""

from __future__ import annotations

import collections
import functools
import importlib.util
import json
import pathlib
import sys
import time
import types
from typing import Any

import jax
import numpy as np
from jax import export

from tests.platforms.lowering import Lowering

# method: how the kinds of its programs begin
KINDS = {"fit": "train_", "evaluate": "test_", "predict": "predict"}
ROOT = pathlib.Path(__file__).parent.parent.parent
COLAB = ROOT / "colab"


def module_of(path: pathlib.Path, name: str) -> types.ModuleType:
    """The module that a file makes."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def program_of(name: str, parameters: dict[str, Any]) -> str:
    """The code of a notebook with other parameters."""
    source = (COLAB / "sources" / f"{name}.py").read_text(encoding="utf-8")
    cells = []
    for kind, text in module_of(COLAB / "make.py", "colab_make").cells_of(source):
        if kind != "markdown":
            cells.append(text)
        if kind == "parameters":
            cells += [f"{key} = {value!r}" for key, value in parameters.items()]
    return "\n\n\n".join(cells) + "\n"


def compile_for(devices: list, shapes: Any, exported: export.Exported) -> None:
    """Compiles a function for as many of some devices as it is for; an error where the compiler
    refuses it.
    """
    mine = devices[: exported.nr_devices]
    placed = jax.tree_util.tree_map(lambda form: placed_on(mine, form), shapes)
    jax.jit(exported.call).lower(*placed).compile()


def placed_on(devices: list, form: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """An argument on devices that are not here, in parts where it is in parts here."""
    names, sizes, spec = ["devices"], [len(devices)], jax.sharding.PartitionSpec()
    here = form.sharding
    if isinstance(here, jax.sharding.NamedSharding):
        names, sizes, spec = here.mesh.axis_names, here.mesh.devices.shape, here.spec
    mesh = jax.sharding.Mesh(np.array(devices).reshape(sizes), names)
    where = jax.sharding.NamedSharding(mesh, spec)
    return jax.ShapeDtypeStruct(form.shape, form.dtype, sharding=where)


def name_of(function: Any) -> str:
    """Of what is jitted, which may be a partial function."""
    inner = getattr(function, "func", function)
    return getattr(function, "__name__", None) or getattr(inner, "__qualname__", repr(inner))


class Calls:
    """Stands for a method of all models while a notebook runs: what the model has compiled when it
    returns has been lowered for TPUs.
    """

    def __init__(self, method: str, lowering: Lowering, counts: collections.Counter) -> None:
        self.method, self.lowering, self.counts = method, lowering, counts

    def of(self, plain: Any) -> Any:
        """The method in the place of the plain one."""

        @functools.wraps(plain)
        def method(model: Any, *given: Any, **named: Any) -> Any:
            result = plain(model, *given, **named)
            self.check(model)
            return result

        return method

    def check(self, model: Any) -> None:
        """That the programs of a model, of which there are some, were lowered."""
        known = [getattr(f, "func", f) for f in self.lowering.lowered + self.lowering.left]
        programs = {
            key[0]: program
            for key, program in model._functions.items()
            if getattr(program, "_jitted", None)
        }
        begins = KINDS[self.method]
        assert any(str(kind).startswith(begins) for kind in programs), (self.method, [*programs])
        for kind, program in programs.items():
            assert program._traced in known, f"{kind} of {model.name} was not lowered"
        self.counts[self.method] += 1


def run(name: str, topologies: list[str], parameters: dict[str, Any]) -> dict[str, Any]:
    """Runs a notebook in the folder at hand, then compiles.

    Returns:
        "lowered": the names of what was lowered, and how often; "left": of what calls Python from
        within; "own": how many functions the notebook itself gave to `jax.jit`; "calls": how often
        it called the methods that compile; "compiled": how many programs, all that are not the same
        as another one, for each topology; "seconds": of that.
    """
    plain, exports = jax.jit, []
    lowering = jax.jit = Lowering(["tpu"], lambda *found: exports.append(found))
    # not before: what is jitted at import is seen, too
    from jkeras.training.shell.trainer import Trainer

    calls = collections.Counter()
    for method in KINDS:
        setattr(Trainer, method, Calls(method, lowering, calls).of(getattr(Trainer, method)))
    path = pathlib.Path.cwd() / f"notebook_{name}.py"
    path.write_text(program_of(name, parameters), encoding="utf-8")
    module_of(path, path.stem)
    own = [function for function, giver in lowering.given if giver == path.stem]
    for function in own:
        assert function in lowering.lowered, f"{function} was not lowered"
    jax.jit = plain
    found = {topology: compile_all(exports, topology) for topology in topologies}
    return {
        "lowered": collections.Counter(name_of(function) for function, *_ in exports),
        "left": [name_of(function) for function in lowering.left],
        "own": len(own),
        "calls": calls,
        "compiled": {topology: count for topology, (count, _) in found.items()},
        "seconds": {topology: seconds for topology, (_, seconds) in found.items()},
    }


def compile_all(exports: list[tuple], topology: str) -> tuple[int, float]:
    """Compiles what a notebook lowered, when it has ended: its profiler ends a process with a
    libtpu that is newer than JAX's. Returns how many programs these were, and seconds.
    """
    from jkeras.distribution import Topology

    jax.config.update("jax_enable_compilation_cache", False)  # it reads nothing for such devices
    devices = Topology(topology).devices
    begin = time.perf_counter()
    done = set()
    for function, shapes, exported in exports:
        program = exported.mlir_module_serialized
        if program in done:
            continue
        done.add(program)
        try:
            compile_for(devices, shapes, exported)
        except Exception as error:
            error.add_note(f"{name_of(function)} for {topology}: {shapes}")
            raise
    return len(done), round(time.perf_counter() - begin, 1)


if __name__ == "__main__":
    name, topologies, parameters = sys.argv[1:]
    print(json.dumps(run(name, topologies.split(","), json.loads(parameters))))
