"""A checkout of jkeras: its sources, and what several rows of the table need of them."""

import functools
import sys

from benchmarks.structure import places, source


class Checkout:
    """What lies in a folder that holds `jkeras/`."""

    def __init__(self, root):
        self.root = root.resolve()
        self.sources = source.read(self.root / "jkeras")
        self.kernel = source.under(self.sources, places.KERNEL)

    def files(self, paths) -> list[source.Source]:
        """Those of a list that are there."""
        there = source.under(self.sources, *paths)
        if not there:
            raise LookupError(f"{self.root}: no {', '.join(paths)}. Change {places.__file__}")
        return there

    # ---------------------------------------------------------------- what runs

    @functools.cached_property
    def runs(self):
        """`benchmarks.structure.runs` of the jkeras that lies here."""
        sys.path.insert(0, str(self.root))
        from benchmarks.structure import runs  # imports jkeras, so not before the line above

        if not runs.PACKAGE.samefile(self.root / "jkeras"):
            raise RuntimeError(f"Expected jkeras from {self.root}. Received: {runs.PACKAGE}")
        return runs

    @functools.cached_property
    def applied(self):
        """{what is applied: its calls}."""
        runs = self.runs
        return {name: runs.calls_of_apply(*make()) for name, make in runs.OF_APPLY.items()}

    @functools.cached_property
    def methods(self):
        """{a method of a model: its calls}."""
        return self.runs.calls_of_methods()

    @functools.cached_property
    def dense_object(self):
        return self.runs.calls_of_object(self.runs.dense())

    @functools.cached_property
    def three_object(self):
        return self.runs.calls_of_object(self.runs.three())

    @functools.cached_property
    def way(self):
        return self.runs.way_to_the_loss()

    def returns_to_the_runner(self) -> int:
        return self.runs.returns_to(self.way.frames, places.RUNNER)

    # ---------------------------------------------------------------- what is written

    @functools.cached_property
    def circles(self) -> list[list[str]]:
        return source.circles(self.sources)

    @functools.cached_property
    def functions(self) -> list[source.Function]:
        return source.functions(self.sources)

    @functools.cached_property
    def users_of_the_run(self) -> list[str]:
        """The modules that import the ambient run."""
        run = [one.module for one in self.files(places.AMBIENT_RUN)]
        return source.importers(self.sources, *run)

    def complexity(self, names) -> int | None:
        """Of the function that has one of these names; None where there is none."""
        return max((f.complexity for f in self.functions if f.name in names), default=None)

    def above(self, complexity) -> list[source.Function]:
        return [f for f in self.functions if f.complexity > complexity]

    def per_thousand(self, number) -> float:
        """A number for each 1,000 lines of code."""
        return 1000 * number / source.number_of_lines(self.sources)

    def at_the_top(self, folder) -> int:
        """The files of a folder that are in no folder below it."""
        return len([one for one in source.under(self.sources, folder) if one.path.count("/") == 1])

    def lines(self, paths) -> int:
        return source.number_of_lines(self.files(paths))

    def characters(self, *lists) -> int:
        return sum(source.number_of_characters(self.files(paths)) for paths in lists)

    def characters_of_base_classes(self) -> int:
        return source.characters_of_classes(self.sources, places.BASE_CLASSES)

    def characters_without_types(self) -> int:
        """Of both bases."""
        bases = [*self.files(places.LAYER_BASE), *self.files(places.OPTIMIZER_BASE)]
        return source.characters_without_types(bases)

    def keys_by_identity(self) -> int:
        """In both spellings: `values[id(v)]`, and `values[v]`."""
        return source.ids_of_variables(self.sources) + source.variables_as_keys(self.sources)

    def characters_per_line(self) -> float:
        return source.number_of_characters(self.sources) / source.number_of_lines(self.sources)

    def conditional_expressions(self) -> float:
        """For each 1,000 lines of code."""
        return self.per_thousand(source.conditional_expressions(self.sources))

    def annotated(self, *folders) -> float | None:
        """The annotated arguments in some folders, in percent; None where there are none."""
        return source.annotated_percent(source.under(self.sources, *folders))

    def foreign_to_the_kernel(self) -> list[str]:
        """What the kernel imports besides jax, numpy, itself and the standard library."""
        return source.foreign_packages(self.kernel, ["jax", "numpy"])

    def number_of_foreign(self) -> int | None:
        return len(self.foreign_to_the_kernel()) if self.kernel else None

    def share_of_values(self) -> float:
        """The code of values in what `core` is or has become, in percent of its lines."""
        values = source.number_of_lines(source.under(self.sources, *places.VALUES))
        return 100 * values / source.number_of_lines(self.files(places.CORE))
