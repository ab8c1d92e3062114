"""Layers of other frameworks, which cannot run under JAX: making one says what to use instead."""

from typing import Any

from jkeras.core.layer import Layer
from jkeras.core.names.registry import public
from jkeras.core.weights.types import Sizes


@public("keras.layers.TorchModuleWrapper")
class TorchModuleWrapper(Layer):
    """A module of PyTorch as a layer: not possible under JAX.

    Args:
        module: the module of PyTorch.
        output_shape: of the module, without the batch axis.
    Raises:
        NotImplementedError: always.

    >>> try:
    ...     TorchModuleWrapper(None)
    ... except NotImplementedError:
    ...     print("use JaxLayer")
    use JaxLayer
    """

    def __init__(
        self, module: Any, name: str | None = None, output_shape: Sizes | None = None, **kwargs: Any
    ) -> None:
        raise NotImplementedError(
            "A module of PyTorch cannot run inside a compiled JAX program. Write the module with "
            "jkeras layers, or wrap a JAX version of it in `JaxLayer` or `FlaxLayer`."
        )


@public("keras.layers.TFSMLayer")
class TFSMLayer(Layer):
    """A SavedModel of TensorFlow as a layer: not possible under JAX.

    Args:
        filepath: the folder of the SavedModel.
        call_endpoint, call_training_endpoint: which of its functions would run outside of training,
            and in it.
        trainable: whether its weights would be trained.
    Raises:
        NotImplementedError: always.

    >>> try:
    ...     TFSMLayer("folder")
    ... except NotImplementedError:
    ...     print("use a .keras file")
    use a .keras file
    """

    def __init__(
        self,
        filepath: str,
        call_endpoint: str = "serve",
        call_training_endpoint: str | None = None,
        trainable: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        raise NotImplementedError(
            "A SavedModel of TensorFlow cannot run inside a compiled JAX program. Save the model "
            "as a `.keras` file with Keras and load that with `jkeras.models.load_model`."
        )
