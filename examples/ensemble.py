"""A deep ensemble by `vmap`: sixteen networks are trained at once, and know better together what
they do not know.

Lakshminarayanan et al. (2017). `init_train_state` and the training step are pure functions, so a
stack of states is one `vmap`, and a whole training one `scan`: all members in one compiled program.
The network itself is an ordinary compiled Keras model of one member. Few labels make the members
differ. Run it with `python examples/ensemble.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits
from jkeras.training import init_train_state, make_predict_step, make_train_step


def build_model():
    """One member."""
    model = jkeras.Sequential(
        [
            jkeras.Input((64,)),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    model.compile(
        jkeras.optimizers.Adam(3e-3), jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


def train(model, x, y, members, steps, batch_size=32):
    """A stack of trained states; every member sees the data in an order of its own."""
    states = jax.vmap(lambda key: init_train_state(model, key))(
        jax.random.split(jax.random.key(0), members)
    )
    rows = np.random.default_rng(0).integers(0, len(x), (members, steps, batch_size))
    step = make_train_step(model)

    @jax.jit
    @jax.vmap
    def run(state, rows):
        return jax.lax.scan(lambda state, rows: step(state, (x[rows], y[rows])), state, rows)[0]

    return run(states, rows)


def quality(chances, labels):
    """(accuracy, nats of surprise at the label) of the chances of classes, (…, rows, classes)."""
    right = (chances.argmax(-1) == labels).mean(-1)
    return right, -jnp.log(chances[..., jnp.arange(len(labels)), labels]).mean(-1)


def main(members=16, steps=400, images=150):
    """Trains; prints and returns (accuracy, nats) of the mean member and of the ensemble."""
    x, y = (np.concatenate(parts) for parts in zip(*digits.load_data()))
    x, y = jnp.asarray(x.reshape(len(x), 64) / 16, "float32"), jnp.asarray(y, "int32")
    model = build_model()
    states = train(model, x[:images], y[:images], members, steps)
    predict = jax.jit(jax.vmap(make_predict_step(model), in_axes=(0, None)))
    chances = jax.nn.softmax(predict(states, x[images:]))  # (members, rows, classes)
    each, together = quality(chances, y[images:]), quality(chances.mean(0), y[images:])
    found = {
        "mean member": tuple(float(value.mean()) for value in each),
        "best member": (float(each[0].max()), float(each[1].min())),
        "ensemble": tuple(float(value) for value in together),
    }
    for name, (accuracy, nats) in found.items():
        print(f"{name:>11}: accuracy {accuracy:.4f}, {nats:.4f} nats of surprise")
    return found


if __name__ == "__main__":
    main()
