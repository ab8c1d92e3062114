"""Pipeline: layers one after the other, for preprocessing."""

from collections.abc import Mapping
from typing import Any, Self

import jax

from jkeras.core.layer import Composite, layer
from jkeras.core.names.registry import deserialize, serialize
from jkeras.layers.base import refuse_others
from jkeras.layers.wrappers import mask_argument
from jkeras.core.run.context import Children, Context


@layer("keras.layers", arguments="layers, name")
class Pipeline(Composite, computes_in_float=False):
    """Applies layers one after the other. It is called on arrays or dicts, alone or in a data
    pipeline.

    Args:
        layers: a list of layers.

    >>> import jkeras, numpy as np
    >>> pipeline = Pipeline([jkeras.layers.Rescaling(1 / 64), jkeras.layers.CenterCrop(2, 2)])
    >>> print(pipeline(np.full((1, 4, 4, 1), 16.0))[0, :, :, 0])
    [[0.25 0.25]
     [0.25 0.25]]
    """

    layers: list | tuple
    allow_non_tensor_positional_args = True
    call_context = {"training": True, "mask": None}
    supports_masking = True

    def _base_init(self, **kwargs: Any) -> None:
        refuse_others(type(self), kwargs, ("name",))
        super()._base_init(**kwargs)

    def forward(
        self, w: Mapping[str, Any], sub: Children, inputs: jax.Array, ctx: Context
    ) -> jax.Array:
        mask = ctx.mask  # the layers after the first find those of what they get
        for step in self.layers:
            inputs = sub.run(step, inputs, training=ctx.training, **mask_argument(step, mask))
            mask = None
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": [serialize(step) for step in self.layers], "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        steps = config.get("layers")
        if not isinstance(steps, (list, tuple)):
            raise ValueError(
                "The config of a Pipeline needs a list of layers under 'layers'. Received: "
                f"{steps!r}"
            )
        return cls(**{**config, "layers": [deserialize(step) for step in steps]})
