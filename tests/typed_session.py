"""What users type of settings, scopes and values. Nothing runs it: see `test_typed.py`."""

from typing import Any

import jax
import numpy as np

import jkeras
from jkeras import layers, ops

jkeras.utils.set_random_seed(1)
jkeras.config.set_floatx("float32")
print(jkeras.config.floatx(), jkeras.config.epsilon(), jkeras.config.image_data_format())
jkeras.config.set_image_data_format("channels_last")
jkeras.config.set_epsilon(1e-7)
jkeras.config.set_dtype_policy("mixed_bfloat16")
jkeras.mixed_precision.set_global_policy("float32")
jkeras.config.disable_traceback_filtering()
jkeras.config.enable_interactive_logging()
jkeras.backend.clear_session()
print(
    jkeras.backend.backend(),
    jkeras.backend.standardize_dtype("float32"),
    jkeras.backend.result_type("int32", float),
)
policy = jkeras.DTypePolicy("mixed_bfloat16")
print(policy.compute_dtype, policy.variable_dtype, policy.name)


@jkeras.saving.register_keras_serializable(package="mine")
class Own(layers.Layer):
    def build(self, input_shape: tuple[int, ...]) -> None:
        self.input_spec = layers.InputSpec(ndim=2, axes={-1: input_shape[-1]})

    def call(self, x: jax.Array) -> jax.Array:
        return x


@jkeras.saving.register_keras_serializable()
def swish2(x: jax.Array) -> jax.Array:
    return x * ops.sigmoid(x)


with jkeras.saving.custom_object_scope({"Own": Own}):
    layer = layers.deserialize(layers.serialize(Own()))
with jkeras.name_scope("a"):
    v = jkeras.Variable(np.ones(2))
with jkeras.device("cpu"):
    pass
with jkeras.RematScope(mode="full"):
    dense = layers.Dense(3)
own = Own(name="o", dtype=policy)
print(own.dtype, own.compute_dtype, own.built, own.losses, own.metrics, own.path)
own.trainable = False
y = own(np.ones((2, 3)))
model = jkeras.Sequential([jkeras.Input((3,)), own, dense])
params, state = model.init(jax.random.key(0), np.ones((1, 3)))


@jax.jit
def loss(params: Any, state: Any, x: jax.Array) -> jax.Array:
    y, _ = model.apply(params, state, x)
    return ops.mean(jkeras.losses.mean_squared_error(x, y))


grads = jax.grad(loss)(params, state, ops.ones((2, 3)))
optimizer = jkeras.optimizers.Adam(1e-3)
opt_state = optimizer.init(params)
outputs, non_trainable = model.stateless_call(
    model.trainable_variables, model.non_trainable_variables, y
)
model.trainable_weights[0].assign(np.zeros((3, 3)))
print(
    jkeras.tree.flatten(params), jkeras.tree.is_nested([1]), jkeras.random.SeedGenerator(3).next()
)
print(
    jkeras.backend.is_keras_tensor(model.inputs[0]),
    jkeras.__version__,
    model.input_shape,
    model.output_shape,
)
dense.enable_lora(2)
dense.quantize("int8")
gen = jkeras.metrics.Mean(name="m")
gen.update_state(2.0)
gen.reset_state()
print(gen.result(), jkeras.initializers.get("zeros")((2,)), jkeras.regularizers.L2(0.1)(np.ones(2)))


class Stops(jkeras.callbacks.Callback):
    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs and logs["loss"] < self.at:
            self.model.stop_training = True


model.compile("sgd", "mse")
model.fit(y, y, verbose=0, callbacks=[Stops(at=0.1), jkeras.callbacks.EarlyStopping(mode="min")])
