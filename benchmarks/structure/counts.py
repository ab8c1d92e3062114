"""The table: what is counted, how, how much it was, and how much it is to be."""

import typing

from benchmarks.structure import places, source
from benchmarks.structure.checkout import Checkout


class Count(typing.NamedTuple):
    """A row. A value of None is "there is no such thing", a target of None "only shown"."""

    name: str
    measure: typing.Callable[[Checkout], float | None]
    before: float | None
    target: float | None = None
    at_least: bool = False  # the target is the smallest number that holds, not the largest

    def holds(self, value) -> bool | None:
        """Whether a value reaches the target; None where there is nothing to judge."""
        if self.target is None or value is None:
            return None
        return value >= self.target if self.at_least else value <= self.target


CALLS = [
    *(
        Count(f"own calls of apply: {name}", lambda c, n=name: c.applied[n].calls, before, target)
        for name, before, target in (
            ("Dense", 99, 20),
            ("Dense in bfloat16", None, 24),
            ("Dense with a penalty", None, 30),
            ("Sequential, three layers", 382, 80),
            ("LayerNormalization", None, 30),
            ("Conv2D", None, 35),
            ("MultiHeadAttention", None, 150),
            ("LSTM", None, 120),
        )
    ),
    Count("files they are in: Dense", lambda c: c.applied["Dense"].files, 18),
    Count("own calls of dense(x)", lambda c: c.dense_object.calls, 97),
    Count("files they are in: dense(x)", lambda c: c.dense_object.files, 15),
    Count("own calls of model(x), three layers", lambda c: c.three_object.calls, 376),
    Count("files they are in: model(x)", lambda c: c.three_object.files, 21),
    *(
        Count(f"own calls of {name}", lambda c, n=name: c.methods[n].calls, None, target)
        for name, target in (
            ("fit", 250),
            ("predict", 100),
            ("save", 1_988),
            ("load_model", 2_316),
        )
    ),
    Count("frames from fit to the loss", lambda c: len(c.way.frames), 18, 11),
    Count("frames from fit to the compiled loss", lambda c: c.way.to_call, 25),
    Count("returns from a pass to the runner", Checkout.returns_to_the_runner, 2, 0),
]
TIES = [
    Count("files that import the ambient run", lambda c: len(c.users_of_the_run), 30, 10),
    Count("id(variable)", lambda c: source.ids_of_variables(c.sources), 95, 35),
    Count("variables as keys, without id", lambda c: source.variables_as_keys(c.sources), 1),
    Count("id(variable), and variables as keys", Checkout.keys_by_identity, 96, 35),
    Count("id(variable) behind an attribute", lambda c: source.ids_of_held_variables(c.sources), 9),
    Count("id(...), all", lambda c: len(source.calls_of_id(c.sources)), 186, 80),
    Count("id without a call, as in map(id, ...)", lambda c: source.ids_passed_on(c.sources), 9),
    Count("another object's ._private", lambda c: source.uses_of_private(c.sources), 209, 80),
    Count(".__dict__", lambda c: source.uses_of_dict(c.sources), 165, 50),
    Count("import circles", lambda c: len(c.circles), 5, 1),
    Count("modules in them", lambda c: sum(map(len, c.circles)), 21),
]
FUNCTIONS = [
    Count("complexity of the state layout", lambda c: c.complexity(places.STATE_LAYOUT), 26, 9),
    Count(
        "complexity of the optimizer's step", lambda c: c.complexity(places.OPTIMIZER_STEP), 21, 9
    ),
    Count("complexity of the worst function", lambda c: c.functions[0].complexity, 28, 15),
    Count("functions of complexity > 15", lambda c: len(c.above(15)), 29, 0),
    Count("functions of complexity > 10", lambda c: len(c.above(10)), 135),
    Count("of these, per 1,000 lines", lambda c: c.per_thousand(len(c.above(10))), 5.0),
]
PARTS = [
    Count(
        "code lines of the kernel", lambda c: source.number_of_lines(c.kernel) or None, None, 800
    ),
    Count("packages it imports but jax and numpy", Checkout.number_of_foreign, None, 0),
    Count("code of values in core/, %", Checkout.share_of_values, 7.0),
    Count("code lines of the layer base", lambda c: c.lines(places.LAYER_BASE), 898),
    Count("characters of the layer base", lambda c: c.characters(places.LAYER_BASE), 37_753),
    Count("code lines of the optimizer base", lambda c: c.lines(places.OPTIMIZER_BASE), 581),
    Count(
        "characters of the optimizer base", lambda c: c.characters(places.OPTIMIZER_BASE), 28_086
    ),
    Count(
        "characters of both, files and links",
        lambda c: c.characters(places.LAYER_BASE, places.OPTIMIZER_BASE),
        65_839,
    ),
    Count("characters of the base classes", Checkout.characters_of_base_classes, 46_329, 27_800),
    Count("without the annotations of functions", Checkout.characters_without_types, 65_906),
]
ROOMS = [
    Count("files of core/ at its top", lambda c: c.at_the_top("core"), None, 12),
    Count("files of training/ at its top", lambda c: c.at_the_top("training"), None, 20),
    Count("context variables", lambda c: source.calls_of(c.sources, "ContextVar"), None, 5),
    Count("functions over 50 lines", lambda c: source.longer_functions(c.sources, 50), None, 0),
    Count("functions of 8 arguments", lambda c: source.wide_functions(c.sources, 8), None, 80),
]
WRITING = [
    Count("code lines", lambda c: source.number_of_lines(c.sources), 27_265),
    Count("characters per code line", Checkout.characters_per_line, 45.4),
    Count("lines over 100 columns", lambda c: source.long_lines(c.sources), 3968, 0),
    Count("conditional expressions", lambda c: source.conditional_expressions(c.sources), 1375),
    Count("conditional, per 1,000 lines", Checkout.conditional_expressions, 50.4, 14.9),
    Count("and mixed with or", lambda c: source.mixed_conditions(c.sources), 104, 0),
    Count("arguments", lambda c: source.arguments(c.sources)["total"], 7324),
    Count("annotated, %", lambda c: source.annotated_percent(c.sources), 1.1, 70, True),
    *(
        Count(f"annotated in {folder}/, %", lambda c, folder=folder: c.annotated(folder), before)
        for folder, before in zip(places.TYPED, (None, 0.9, 0.0, 1.2, 0.0))
    ),
    Count("annotated in these five, %", lambda c: c.annotated(*places.TYPED), 0.6, 60, True),
]
TABLE = {
    "Calls": CALLS,
    "Ties": TIES,
    "Functions": FUNCTIONS,
    "Kernel and bases": PARTS,
    "Rooms": ROOMS,
    "Writing": WRITING,
}
