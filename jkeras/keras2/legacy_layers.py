"""Layers that Keras 1 had and no later Keras has."""

import jkeras
from jkeras.keras2 import tables
from jkeras.keras2.closures import UsesGraph


class OldDense(jkeras.layers.Layer):
    """Base of layers with a kernel and a bias over the last axis, with the arguments of Keras 1."""

    def __init__(self, activation=None, bias=True, input_dim=None, **kwargs):
        options = {
            tables.ARGUMENTS["Dense"].get(key, key): kwargs.pop(key)
            for key in ("init", "W_regularizer", "b_regularizer", "W_constraint", "b_constraint")
            if key in kwargs
        }
        kwargs.pop("weights", None)
        super().__init__(**kwargs)
        initializer = options.get("kernel_initializer", "glorot_uniform")
        self.initializer = tables.INITIALIZERS.get(initializer, initializer)
        self.options = options
        self.activation = jkeras.activations.get(activation)
        self.use_bias = bias
        if input_dim is not None:
            self.set_untracked(_keras2_input=((None, input_dim), None))

    def weight(self, name, shape, kind="kernel", initializer=None):
        """A weight with the regularizer and the constraint of its kind, `kernel` or `bias`."""
        return self.add_weight(
            shape,
            initializer or (self.initializer if kind == "kernel" else "zeros"),
            regularizer=jkeras.regularizers.get(self.options.get(f"{kind}_regularizer")),
            constraint=jkeras.constraints.get(self.options.get(f"{kind}_constraint")),
            name=name,
        )


class Highway(OldDense):
    """A dense layer that lets its input through where a gate is shut (Srivastava et al., 2015)."""

    def build(self, input_shape):
        size = input_shape[-1]
        self.W, self.W_carry = self.weight("W", (size, size)), self.weight("W_carry", (size, size))
        if self.use_bias:
            gate = jkeras.initializers.Constant(-2.0)  # most of the input passes at first
            self.b = self.weight("b", (size,), "bias")
            self.b_carry = self.weight("b_carry", (size,), "bias", gate)

    def call(self, x):
        gate, y = jkeras.ops.matmul(x, self.W_carry), jkeras.ops.matmul(x, self.W)
        if self.use_bias:
            gate, y = gate + self.b_carry, y + self.b
        gate = jkeras.ops.sigmoid(gate)
        return gate * self.activation(y) + (1 - gate) * x


class MaxoutDense(OldDense):
    """The largest of several linear maps, for each output (Goodfellow et al., 2013)."""

    def __init__(self, output_dim, nb_feature=4, **kwargs):
        super().__init__(**kwargs)
        self.output_dim, self.nb_feature = output_dim, nb_feature

    def build(self, input_shape):
        self.W = self.weight("W", (self.nb_feature, input_shape[-1], self.output_dim))
        if self.use_bias:
            self.b = self.weight("b", (self.nb_feature, self.output_dim), "bias")

    def call(self, x):
        y = jkeras.ops.einsum("bi,fio->bfo", x, self.W)
        return jkeras.ops.max(y + self.b if self.use_bias else y, axis=1)


class MergeBase(UsesGraph, jkeras.layers.Layer):
    """Base of merging layers that programs define by `_merge_function(inputs)`."""

    def build(self, input_shape):
        """Nothing to make."""

    def _merge_function(self, inputs):
        raise NotImplementedError(f"{type(self).__name__} must define `_merge_function`.")

    def call(self, inputs):
        return self._merge_function(inputs)
