"""`AutoParallel`: weights cut over devices by rules of their paths and shapes."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp

from jkeras.core.errors import explain
from jkeras.core.names.registry import public
from jkeras.core.weights.variable import Variable
from jkeras.distribution.cuts import Cuts
from jkeras.distribution.mesh import TensorLayout, mesh_beside_batch
from jkeras.distribution.report import LayoutReport, LayoutRow
from jkeras.distribution.strategies import Distribution

MUCH = 0.01  # the share of all bytes from which on a weight that no rule cuts is warned of


@public("jkeras.distribution.AutoParallel")
class AutoParallel(Distribution):
    """Weights are cut over some devices by rules, batches over the others: a `ModelParallel` that
    finds its layouts itself.

    The mesh has the axes "batch" and "model". Along "model" are cut: kernels by their outputs with
    their bias, and the kernels behind them by their inputs; queries, keys and values of attention
    by heads, and what follows them likewise; embeddings by the vocabulary. A weight that these
    rules leave is cut along its longest axis that can be. Whole on each device are scales of norms,
    biases of kernels that are cut by their inputs, tables of positions, and small weights. Whatever
    is cut, the numbers are those of one device; `report` says how each weight lies and why.

    Args:
        model: over how many devices a weight is cut.
        devices: names of devices or JAX devices, a multiple of `model`; by default all.
        min_size: weights with fewer elements are replicated on each device.
        auto_shard_dataset: see `distribute_dataset`.
        offload: see `FSDP`.

    Raises:
        ValueError: a number of devices that is no multiple of `model`.

    References: Shoeybi et al. 2019, arXiv:1909.08053.

    >>> AutoParallel(model=1, devices=["cpu:0"])
    <AutoParallel device_mesh=<DeviceMesh shape=(1, 1), axis_names=['batch', 'model']>>
    """

    def __init__(
        self,
        model: int,
        devices: Sequence[Any] | None = None,
        min_size: int = 1024,
        auto_shard_dataset: bool = True,
        *,
        offload: str | None = None,
    ) -> None:
        mesh = mesh_beside_batch("AutoParallel", "model", model, devices, "model")
        super().__init__(mesh, "batch", auto_shard_dataset, offload=offload)
        self.check_processes()
        self._cuts = Cuts(model, min_size)
        self._bytes = {}  # (path, shape) of what was laid out: its bytes
        self._has_warned = False

    def _layout_of(self, variable: Variable) -> TensorLayout:
        self._bytes[variable.path, variable.shape] = _bytes_of(variable)
        return TensorLayout(self._axes_of(variable), self.device_mesh)

    def _axes_of(self, variable: Variable) -> tuple[str | None, ...]:
        cut = self._cuts.of(variable.path, variable.shape).axis
        return tuple("model" if axis == cut else None for axis in range(len(variable.shape)))

    def report(self, model: Any) -> LayoutReport:
        """How the weights of a model lie, or would lie if it were built in the scope.

        Args:
            model: a layer or model that has weights.

        Raises:
            ValueError: it has none yet.

        >>> import jkeras
        >>> layout = AutoParallel(model=1, devices=["cpu:0"])
        >>> with layout.scope():
        ...     net = jkeras.Sequential([jkeras.layers.Dense(64, name="dense")], name="net")
        ...     net.build((None, 64))
        >>> print(layout.report(net))
        net/dense/kernel  (64, 64)  float32  (None, 'model')  16,384  columns
        net/dense/bias    (64,)     float32  ('model',)       256     as its kernel
        100.0 % of 16,640 bytes are cut
        """
        if not model.weights:
            expected = "a model with weights: build it, or call it on data"
            raise ValueError(explain("AutoParallel.report", expected, f"{model.name!r}, without"))
        return LayoutReport([self._row(variable) for variable in model.weights])

    def _row(self, variable: Variable) -> LayoutRow:
        axes, why = self._axes_of(variable), self._cuts.of(variable.path, variable.shape).why
        own = getattr(variable.layout, "axes", axes)
        if own != axes:
            axes, why = own, "the layout that it was made with"
        size = _bytes_of(variable)
        return LayoutRow(variable.path, variable.shape, variable.dtype, axes, size, why)

    def check_layouts(self) -> None:
        """Warns, once, of large weights that no rule cuts."""
        total = sum(self._bytes.values())
        large = [
            f"{path} {shape}, {size:,} bytes"
            for (path, shape), size in self._bytes.items()
            if size > MUCH * total and not self._cuts.of(path, shape).is_meant
        ]
        if not large or self._has_warned:
            return
        self._has_warned = True
        warnings.warn(
            f"AutoParallel keeps weights whole on each device, as they have no axis that is a "
            f"multiple of {self._cuts.parts}: {'; '.join(large)}. Choose sizes that are, or "
            "another `model`.",
            stacklevel=2,
        )


def _bytes_of(variable: Variable) -> int:
    return math.prod(variable.shape) * jnp.dtype(variable.own_dtype).itemsize
