"""What every script of examples/ compiles lowers for TPUs and GPUs: its train steps, and the loops of its own."""

import inspect

import jax
import pytest

import jkeras
from jkeras.ops.kernels import traced_for
from tests.test_examples import EXAMPLES, load

SHORT = {"epochs": 1, "members": 2, "tasks": 2}  # and 2 of what is called steps


class Jitted:
    """Stands for `jax.jit` while an example runs: remembers the functions, and what they are first called with."""

    def __init__(self):
        self.jit, self.calls = jax.jit, []

    def __call__(self, function, **options):
        assert not {"static_argnums", "static_argnames"} & options.keys(), "static arguments are not remembered"
        run, first = self.jit(function, **options), []

        def call(*arguments, **named):
            given = arguments, named
            if not first and not any(isinstance(v, jax.core.Tracer) for v in jax.tree_util.tree_leaves(given)):
                first.append(True)
                self.calls.append((function, jax.tree_util.tree_map(shape_of, given)))
            return run(*arguments, **named)
        return call


def shape_of(value):
    """The abstract form of an argument."""
    form = jax.typeof(value)
    return jax.ShapeDtypeStruct(form.shape, form.dtype)


def in_short(main):
    """The arguments that make an example short."""
    return {name: SHORT.get(name, 2) for name in inspect.signature(main).parameters
            if name in SHORT or name.endswith("steps")}


def run(name, monkeypatch):
    """(functions with the shapes of their arguments, models compiled) of a short run of an example."""
    jitted, models, compile_model = Jitted(), [], jkeras.Model.compile

    def remembered(self, *arguments, **more):
        models.append(self)
        return compile_model(self, *arguments, **more)
    with monkeypatch.context() as patch:
        patch.setattr(jax, "jit", jitted)
        patch.setattr(jkeras.Model, "compile", remembered)
        module = load(name)
        module.main(**in_short(module.main))
    return jitted.calls, models


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in EXAMPLES.glob("*.py")))
def test_examples_lower(name, monkeypatch):
    calls, models = run(name, monkeypatch)
    functions = [function for function, _ in calls]
    for model in models:  # the steps of `fit` are among them
        steps = [f for key, f in model._functions.items() if key[0].startswith("train_") and hasattr(f, "traces")]
        assert bool(steps) == hasattr(model, "history")
        assert all(step._traced in functions for step in steps)
    assert any(function.__module__.startswith("example_") for function in functions) or any(
        hasattr(model, "history") for model in models)
    for platform in ("tpu", "cuda"):
        for function, (arguments, named) in calls:
            fresh = jax.jit(lambda given, named, function=function: function(*given, **named))  # not the CPU.s trace
            with traced_for(platform):
                exported = jax.export.export(fresh, platforms=[platform])(arguments, named)
            assert exported.platforms == (platform,) and len(exported.mlir_module_serialized) > 500
