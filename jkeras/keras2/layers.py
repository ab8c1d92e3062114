"""Layers with the arguments of Keras 1 and 2, and the base of layers that programs define."""

import numpy as np

import jkeras
from jkeras.keras2 import arguments, closures
from jkeras.keras2.old_class import OldClass


def old_layer(cls, notes):
    """A class of layers as Keras 2 has it."""

    def make(cls, args, kwargs):
        shape, weights, args, kwargs = _prepared(cls.__name__, args, kwargs, notes)
        layer = cls(*args, **kwargs)
        _remember(layer, shape, weights)
        return layer

    def base():
        def __init__(self, *args, **kwargs):
            shape, weights, args, kwargs = _prepared(cls.__name__, args, kwargs, notes)
            cls.__init__(self, *args, **kwargs)
            _remember(self, shape, weights)

        return type(cls.__name__, (cls,), {"__init__": __init__, "__module__": __name__})

    return OldClass(cls, make, base)


def _prepared(name, args, kwargs, notes):
    """(batch shape and dtype of the input, first values of weights, args, kwargs)."""
    args, kwargs = arguments.translate(name, args, kwargs, notes)
    weights = kwargs.pop("weights", None)
    shape = arguments.take_input(name, kwargs)
    return shape, weights, args, kwargs


def _remember(layer, shape, weights):
    """Keeps what Keras 2 took with the constructor and Keras 3 takes elsewhere."""
    if weights is not None:
        names = ("embeddings",) if len(weights) == 1 else ("kernel", "bias")
        for name, value in zip(names, weights):
            constant = jkeras.initializers.Constant(np.asarray(value))
            setattr(layer, f"{name}_initializer", constant)
    if shape is not None:
        layer.set_untracked(_keras2_input=shape)


def old_lambda(notes):
    """`Lambda`, whose function may use tensors of the graph around it."""

    def make(cls, args, kwargs):
        shape, weights, args, kwargs = _prepared("Lambda", args, kwargs, notes)
        layer = closures.OldLambda(*args, **kwargs)
        _remember(layer, shape, weights)
        return layer

    return OldClass(jkeras.layers.Lambda, make, lambda: closures.OldLambda)


class OldLayer(closures.UsesGraph, jkeras.layers.Layer):
    """Base of a program's own layers: the arguments of `add_weight` as Keras 2 has them, losses
    with the inputs that they depend on.
    """

    def __init__(self, *args, **kwargs):
        shape = arguments.take_input("Layer", kwargs)
        kwargs.pop("weights", None)
        super().__init__(*args, **kwargs)
        if shape is not None:
            self.set_untracked(_keras2_input=shape)

    def build(self, input_shape):
        """Nothing to make; programs end their own `build` with this call."""
        self.built = True

    def add_weight(self, name=None, shape=None, dtype=None, initializer=None, **options):
        """A variable; the name comes first, as in Keras 2, or the shape, as in Keras 3."""
        if isinstance(name, (tuple, list)):
            name, shape = (shape if isinstance(shape, str) else None), tuple(name)
        if isinstance(initializer, str):
            initializer = arguments.tables.INITIALIZERS.get(initializer, initializer)
        for gone in ("partitioner", "use_resource", "synchronization", "getter", "collections"):
            options.pop(gone, None)
        return super().add_weight(
            shape=() if shape is None else tuple(shape),
            initializer=initializer,
            dtype=dtype,
            name=name,
            **options,
        )

    def add_loss(self, losses, inputs=None):
        """Adds to what is minimized; what it depends on is seen from the values."""
        if isinstance(losses, (list, tuple)):
            losses = [jkeras.ops.mean(loss) for loss in losses]
        else:
            losses = jkeras.ops.mean(losses)
        for loss in losses if isinstance(losses, list) else [losses]:
            if jkeras.backend.is_keras_tensor(loss):
                self._graph_losses.append(loss)
            else:
                super().add_loss(loss)

    def add_update(self, updates, inputs=None):
        """Nothing: variables that were assigned have their new value."""


def old_base_layer(notes):
    """`Layer` as a base class."""

    def make(cls, args, kwargs):
        return OldLayer(*args, **kwargs)

    return OldClass(jkeras.layers.Layer, make, lambda: OldLayer)


def old_input(notes):
    """`Input`, which Keras 2 gives a variable to start from too."""

    def Input(
        shape=None, batch_shape=None, name=None, dtype=None, sparse=None, tensor=None, **more
    ):
        if tensor is not None:
            raise NotImplementedError(
                "Input(tensor=…) makes a graph begin at an array. Give the array to the model when "
                "you call it."
            )
        if "batch_size" in more:
            batch_shape = (more["batch_size"], *shape)
        if batch_shape is not None:
            return jkeras.Input(batch_shape=tuple(batch_shape), name=name, dtype=dtype)
        if isinstance(shape, (int, np.integer)):
            shape = (shape,)
        return jkeras.Input(tuple(shape), name=name, dtype=dtype)

    return Input


def time_distributed_dense(notes):
    """`TimeDistributedDense` of Keras 1."""
    dense = old_layer(jkeras.layers.Dense, notes)

    def TimeDistributedDense(*args, **kwargs):
        notes.add("TimeDistributedDense()", "Dense()")
        return dense(*args, **kwargs)

    return TimeDistributedDense


def cudnn(name, notes):
    """`CuDNNLSTM` and `CuDNNGRU`."""
    make = old_layer(getattr(jkeras.layers, name), notes)

    def layer(*args, **kwargs):
        notes.add(f"CuDNN{name}", name)
        return make(*args, **kwargs)

    return layer


class ThresholdedReLU(jkeras.layers.Layer):
    """x where it is over theta, else 0."""

    def __init__(self, theta=1.0, **kwargs):
        super().__init__(**kwargs)
        self.theta = theta

    def call(self, x):
        return jkeras.ops.where(x > self.theta, x, jkeras.ops.zeros_like(x))

    def compute_output_shape(self, shape):
        """The shape of the input."""
        return shape


class LocallyConnected(jkeras.layers.Layer):
    """Base of convolutions whose kernel is another one at each position."""

    rank = 2

    def __init__(
        self,
        filters,
        kernel_size,
        strides=1,
        activation=None,
        use_bias=True,
        padding="valid",
        **kwargs,
    ):
        kwargs.pop("data_format", None)
        kwargs.pop("implementation", None)
        super().__init__(**kwargs)
        self.filters = filters
        self.kernel_size = _per_axis(kernel_size, self.rank)
        self.strides = _per_axis(strides, self.rank)
        self.activation = jkeras.activations.get(activation)
        self.use_bias = use_bias

    def build(self, input_shape):
        space = [
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(input_shape[1:-1], self.kernel_size, self.strides)
        ]
        window = int(np.prod(self.kernel_size)) * input_shape[-1]
        self.kernel = self.add_weight(
            (*space, window, self.filters), "glorot_uniform", name="kernel"
        )
        if self.use_bias:
            self.bias = self.add_weight((*space, self.filters), "zeros", name="bias")

    def call(self, x):
        if self.rank == 1:
            x = jkeras.ops.expand_dims(x, 2)
        size, strides = (*self.kernel_size, 1)[:2], (*self.strides, 1)[:2]
        patches = jkeras.ops.image.extract_patches(x, size, strides)
        if self.rank == 1:
            patches = jkeras.ops.squeeze(patches, 2)
        y = jkeras.ops.einsum("b...i,...io->b...o", patches, self.kernel)
        if self.use_bias:
            y = y + self.bias
        return self.activation(y)


def _per_axis(value, count):
    return (value,) * count if isinstance(value, int) else tuple(value)


class LocallyConnected1D(LocallyConnected):
    """(batch, time, channels), a kernel for each step."""

    rank = 1


class LocallyConnected2D(LocallyConnected):
    """(batch, rows, columns, channels), a kernel for each position."""
