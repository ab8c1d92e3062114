"""What plans bring to a model: `model.plan`, `model.precompile`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jkeras.training.types import Structure

if TYPE_CHECKING:
    from jkeras.distribution import Topology
    from jkeras.plans.plan import Plan


class Planned:
    """A model whose steps can be planned for devices, and compiled ahead."""

    def plan(
        self,
        batch: Any,
        y: Structure = None,
        *,
        kind: str = "train",
        dtype: str | None = None,
        topology: "Topology | str | None" = None,
    ) -> "Plan":
        """What a step takes: it is compiled, no array is made, and nothing is run.

        Args:
            batch: the number of rows; or the shape of the inputs; or `(x, y)` as arrays or
                `jax.ShapeDtypeStruct`s.
            y: labels likewise, where they do not follow from the outputs.
            kind: "train" for a training step, "predict" for the outputs alone.
            dtype: of inputs whose shape is an argument; None: that of the model's.
            topology: devices that are not here, such as "v5e:4x4", on which the batch is cut, or a
                `jkeras.distribution.Topology`; None: those of the distribution in whose scope the
                model was compiled, else the device that is here. Of "mi300x:8", whose compiler is
                nowhere else, the plan is by the roofline alone, and says so.

        Returns:
            A `Plan`: whether it fits, memory by what takes it, operations, what devices send one
            another; `print` shows it as a table.

        Raises:
            ImportError: the devices' compiler is not installed.

        >>> import jkeras
        >>> model = jkeras.Sequential([jkeras.Input((256,)), jkeras.layers.Dense(1024)])
        >>> model.compile("adam", "mse")
        >>> found = model.plan(32)
        >>> found.fits, found.memory.parameters == 4 * 257 * 1024
        (True, True)
        """
        from jkeras.plans.planning import plan

        return plan(self, batch, y, kind=kind, dtype=dtype, topology=topology)

    def precompile(
        self,
        x: Structure,
        y: Structure = None,
        sample_weight: Structure = None,
        batch_size: int | None = None,
        kinds: Sequence[str] = ("train", "test", "predict"),
    ) -> dict[str, float]:
        """Compiles ahead what `fit`, `evaluate` and `predict` run on data like this; changes
        nothing in the model.

        With a compilation cache (`jkeras.config.enable_compilation_cache`) a later process finds it
        compiled, too.

        Args:
            x, y, sample_weight, batch_size: as for `fit`.
            kinds: which of the three.

        Returns:
            {kind: seconds}, the time it took.
        """
        from jkeras.plans.precompiling import precompile

        return precompile(self, (x, y, sample_weight), batch_size, kinds)
