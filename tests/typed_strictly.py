"""What users type who annotate. Nothing runs it: `test_typed.py` gives it to strict checkers."""

from typing import Any

import jax
import numpy as np

import jkeras
from jkeras import Input, Model, Sequential, layers, ops
from jkeras.layers import Dense
from jkeras.models import load_model

x = np.zeros((8, 4), "float32")
y = np.zeros((8,), "int32")


class Scale(layers.Layer):
    def __init__(self, factor: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.w = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="w")
        super().build(input_shape)

    def call(self, x: jax.Array, training: bool | None = None) -> jax.Array:
        return ops.multiply(x, self.w) * self.factor

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


class Net(Model):
    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = layers.Dense(units, activation="relu")
        self.scale = Scale(2.0)
        self.drop = layers.Dropout(0.1)

    def call(self, x: jax.Array, training: bool = False) -> jax.Array:
        h = self.drop(self.dense(x), training=training)
        return ops.softmax(self.scale(h), axis=-1)


inputs = Input(shape=(4,), name="x")
h = layers.Dense(8, "relu")(inputs)
h = layers.add([h, ops.relu(h)])
h = h * 2.0 + 1.0
outputs = layers.Dense(3)(h)
functional = Model(inputs, outputs, name="functional")
print(outputs.shape[-1], functional.output_shape)
model = Net(3)
dense = model.dense
loss = "sparse_categorical_crossentropy"
model.compile(optimizer=jkeras.optimizers.Adam(1e-3), loss=loss, metrics=["accuracy"])
history = model.fit(x, y, 4, epochs=2, validation_data=(x, y), verbose=0)
print(max(history.history["loss"]), history.epoch[0] + 1)
model.optimizer.learning_rate = 0.1
print(float(model.optimizer.learning_rate))
print(dense.kernel.shape, dense.bias, dense.kernel.numpy().mean(), dense.kernel.dtype)
p = model.predict(x, verbose=0)
print(p.argmax(axis=-1), p.shape[0])
results = model.evaluate(x, y, verbose=0, return_dict=True)
print(results["loss"])
value, accuracy = model.evaluate(x, y, verbose=0)
z = model(x)
print(z.shape, ops.mean(z) + 1, ops.convert_to_numpy(z).mean())
model.set_weights(model.get_weights())
dense.set_weights([w * 2 for w in dense.get_weights()])
first = functional.get_layer("dense")
first.trainable = False
print(first.name, [v.path for v in first.trainable_weights], len(functional.layers))
net = Sequential([Input((4,)), layers.Dense(3)])
net.add(Dense(2))
net.add(Scale(3.0, name="s"))
net.summary()
net.save("m.keras")
again = load_model("m.keras")
again.load_weights("m.weights.h5")
jkeras.utils.plot_model(net, to_file="m.png", show_shapes=True)
