"""One idea, a training step that also fits noisy inputs, written twice: in Keras's contract for
JAX, and purely.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits

NOISE = 0.2


def network():
    """Inputs and outputs of a small classifier."""
    x = jkeras.Input((8, 8))
    h = layers.Dense(96, activation="relu")(layers.Flatten()(x))
    return x, layers.Dense(10)(h)


def compile_for_digits(model):
    """What both ways minimize, and with what."""
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(3e-3), loss, metrics=["accuracy"])


class Noisy(jkeras.Model):
    """Keras's contract: `train_step(state, data)` over flat lists of arrays; everything else of
    `fit` stays.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seeds = jkeras.random.SeedGenerator(0)

    def compute_noisy_loss(self, trainable, non_trainable, x, y, noise):
        """The mean loss on clean and noisy inputs, for `jax.value_and_grad`."""
        y_pred, non_trainable = self.stateless_call(trainable, non_trainable, x, training=True)
        noisy, non_trainable = self.stateless_call(
            trainable, non_trainable, x + noise, training=True
        )
        loss = (self.compute_loss(x, y, y_pred) + self.compute_loss(x, y, noisy)) / 2
        return loss, (y_pred, non_trainable)

    def train_step(self, state, data):
        trainable, non_trainable, slots, metric_values = state
        x, y = data
        noise = NOISE * jkeras.random.normal(x.shape, seed=self.seeds)
        value_and_grad = jax.value_and_grad(self.compute_noisy_loss, has_aux=True)
        (loss, (y_pred, non_trainable)), grads = value_and_grad(
            trainable, non_trainable, x, y, noise
        )
        trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)

        logs, new_values = {}, []
        for metric in self.metrics:
            count = len(metric.variables)
            values, metric_values = metric_values[:count], metric_values[count:]
            seen = (loss,) if metric.name == "loss" else (y, y_pred)
            values = metric.stateless_update_state(values, *seen)
            result = metric.stateless_result(values)
            logs |= result if isinstance(result, dict) else {metric.name: result}
            new_values += values
        return logs, (trainable, non_trainable, slots, new_values)


def train_keras_way(x, y, epochs):
    """A trained model, through `fit`."""
    model = Noisy(*network())
    compile_for_digits(model)
    model.fit(x, y, epochs=epochs, verbose=2)
    return model


def train_pure_way(x, y, epochs, batch_size=32):
    """The same with nothing but functions: the batch is changed, then the ready step takes it."""
    model = jkeras.Model(*network())
    compile_for_digits(model)
    state = jkeras.training.init_train_state(model, jax.random.key(0))
    step = jkeras.training.make_train_step(model)

    @jax.jit
    def noisy_step(state, x, y):
        noise = NOISE * jax.random.normal(jax.random.fold_in(state.rng, state.step), x.shape)
        return step(state, (jnp.concatenate([x, x + noise]), jnp.concatenate([y, y])))

    rows = np.random.default_rng(0)
    for epoch in range(epochs):
        order = rows.permutation(len(x))[: len(x) // batch_size * batch_size]
        for chosen in order.reshape(-1, batch_size):
            state, logs = noisy_step(state, x[chosen], y[chosen])
        print(f"epoch {epoch + 1}: loss since the start {logs['loss']:.4f}")
    model.load_train_state(state)
    return model


def main(epochs=10):
    """Trains both ways; prints and returns both accuracies on the test data."""
    jkeras.utils.set_random_seed(0)
    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test, y = x.astype("float32") / 16, x_test.astype("float32") / 16, y.astype("int32")
    models = train_keras_way(x, y, epochs), train_pure_way(x, y, epochs)
    accuracies = tuple(
        float(np.mean(m.predict(x_test, verbose=0).argmax(-1) == y_test)) for m in models
    )
    print("test accuracy: {:.4f} through fit, {:.4f} by pure functions".format(*accuracies))
    return accuracies


if __name__ == "__main__":
    main()
