"""What a program compiles, lowered for platforms that are not here while it runs on the CPU."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import export

# by which JAX, and a program, know what `jax.jit` returned
OF_JITTED = ("eval_shape", "lower", "trace", "clear_cache", "_cache_size")


class Lowering:
    """Stands for `jax.jit` while a program runs: what is called is lowered for other platforms too,
    with the shapes and in the surroundings of its first call.

    Args:
        platforms: for which.
        then: called with each function, the shapes of its arguments and what `jax.export` makes of
            it.

    Attributes:
        given: the functions that `jax.jit` was called with, and the modules that called it.
        lowered: those that were called and lowered.
        left: those that were called and cannot be lowered: they call Python from within, which is
            possible on a platform that is there.
    """

    def __init__(
        self,
        platforms: Sequence[str] = ("tpu", "cuda"),
        then: Callable[[Callable, Any, export.Exported], None] = lambda *given: None,
    ) -> None:
        self.jit, self.platforms, self.then = jax.jit, platforms, then
        self.given, self.lowered, self.left = [], [], []
        self._seen = []  # pairs of a function and its static arguments

    def __call__(self, function: Callable | None = None, **options: Any) -> Callable:
        if function is None:
            return functools.partial(self, **options)
        run = self.jit(function, **options)
        self.given.append((function, inspect.currentframe().f_back.f_globals["__name__"]))
        static = static_of(function, options)

        @functools.wraps(function)
        def call(*given: Any, **named: Any) -> Any:
            all_given = dict(enumerate(given)) | named
            fixed = {key: value for key, value in all_given.items() if key in static}
            arrays = {key: value for key, value in all_given.items() if key not in static}
            if (function, fixed) not in self._seen and not is_traced([*arrays.values()]):
                self.lower(function, fixed, arrays)
                # not if it refused to be traced: then it is called again
                self._seen.append((function, fixed))
            return run(*given, **named)

        for name in OF_JITTED:
            setattr(call, name, getattr(run, name))
        return call

    def lower(
        self, function: Callable, fixed: dict[int | str, Any], arrays: dict[int | str, Any]
    ) -> None:
        """Lowers for each platform, unless Python is called from within.

        Args:
            fixed: static arguments, by number or name.
            arrays: the others.
        """
        # not before a stand-in is in the place of `jax.jit`, which what is imported calls
        from jkeras.ops.kernels import traced_for

        def of_arrays(arrays: list[Any]) -> Any:
            known = fixed | dict(zip(keys, arrays))
            numbers = sorted(key for key in known if isinstance(key, int))
            named = {key: value for key, value in known.items() if isinstance(key, str)}
            return function(*[known[number] for number in numbers], **named)

        keys = list(arrays)
        # a function without arguments gets one all the same, by whose devices it is compiled
        number = jax.ShapeDtypeStruct((), "float32")
        shapes = jax.tree_util.tree_map(shape_of, list(arrays.values())), number
        for platform in self.platforms:
            fresh = self.jit(lambda arrays, _: of_arrays(arrays))  # not the trace of the CPU
            with traced_for(platform):
                if "pure_callback" in str(fresh.trace(*shapes).jaxpr):
                    self.left.append(function)
                    return
                exported = export.export(fresh, platforms=[platform])(*shapes)
            assert exported.platforms == (platform,) and exported.mlir_module_serialized
            self.then(function, shapes, exported)
        self.lowered.append(function)


def static_of(function: Callable, options: dict[str, Any]) -> set[int | str]:
    """The numbers and names of the arguments that `jax.jit` takes as static with options."""
    numbers, names = options.get("static_argnums", ()), options.get("static_argnames", ())
    numbers = {numbers} if isinstance(numbers, int) else set(numbers)
    names = {names} if isinstance(names, str) else set(names)
    if not numbers and not names:
        return set()
    parameters = list(inspect.signature(function).parameters)
    numbers |= {parameters.index(name) for name in names}
    return numbers | names | {parameters[number] for number in numbers}


def is_traced(values: Any) -> bool:
    """Whether a function is called while another one is traced."""
    return any(isinstance(v, jax.core.Tracer) for v in jax.tree_util.tree_leaves(values))


def shape_of(value: Any) -> jax.ShapeDtypeStruct:
    """The abstract form of an argument; where it lies is a part of that if it has to lie there."""
    form = jax.typeof(value)
    sharding = value.sharding if getattr(value, "committed", False) else None
    return jax.ShapeDtypeStruct(form.shape, form.dtype, sharding=sharding)
