"""What the pure form is for: an ensemble by `vmap`, a gradient for each sample, and MAML."""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from jkeras import layers
from jkeras.datasets import digits


def ensemble(members=8, steps=300):
    """Trains several seeds at once, each with its own learning rate; returns each one's test
    accuracy.
    """
    (x, y), (x_test, y_test) = digits.load_data()
    x = x.reshape(len(x), -1) / np.float32(16)
    x_test = x_test.reshape(len(x_test), -1) / np.float32(16)
    y, y_test = y.astype("int32"), y_test.astype("int32")
    model = jkeras.Sequential([jkeras.Input((64,)), layers.Dense(64, "relu"), layers.Dense(10)])
    model.compile(
        "adam", jkeras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )

    keys = jax.random.split(jax.random.key(0), members)
    states = jax.vmap(lambda key: jkeras.training.init_train_state(model, key))(keys)
    step, evaluate = jkeras.training.make_train_step(model), jkeras.training.make_eval_step(model)
    states = with_learning_rates(states, np.geomspace(1e-4, 1e-1, members).astype("float32"))
    rows = np.random.default_rng(0).integers(0, len(x), (steps, 64))
    many = jax.jit(
        jax.vmap(lambda state, batches: jax.lax.scan(step, state, batches), in_axes=(0, None))
    )
    states, _ = many(states, (x[rows], y[rows]))
    fresh = states._replace(metrics=jax.tree.map(jnp.zeros_like, states.metrics))
    _, logs = jax.jit(jax.vmap(evaluate, in_axes=(0, None)))(fresh, (x_test, y_test))
    return np.asarray(logs["accuracy"])


def with_learning_rates(states, rates):
    """Stacked states, each with its own learning rate: the rate is a leaf of the optimizer's
    state.
    """
    return states._replace(opt_state={**states.opt_state, "learning_rate": jnp.asarray(rates)})


def per_sample_gradient_norms(rows=32):
    """How strongly each of some digits pulls at the weights of an untrained model."""
    (x, y), _ = digits.load_data()
    x, y = x[:rows, ..., None] / np.float32(16), y[:rows].astype("int32")
    model = jkeras.Sequential(
        [layers.Conv2D(8, 3, activation="relu"), layers.Flatten(), layers.Dense(10)]
    )
    params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), "float32"))

    def loss(params, x, y):
        logits, _ = model.apply(params, state, x[None], training=False)
        return -jax.nn.log_softmax(logits[0])[y]

    def norm(tree):
        return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree)))

    return np.asarray(
        jax.jit(jax.vmap(lambda x, y: norm(jax.grad(loss)(params, x, y)), in_axes=(0, 0)))(x, y)
    )


def maml(steps=1000, tasks=16, shots=10, inner_rate=0.02):
    """Model-agnostic meta-learning on sine waves (Finn, Abbeel and Levine, 2017); returns losses
    before and after one step of adaptation to waves that were not seen.
    """
    model = jkeras.Sequential([layers.Dense(40, "relu"), layers.Dense(40, "relu"), layers.Dense(1)])
    params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 1), "float32"))
    optimizer = jkeras.optimizers.Adam(1e-3)

    def wave(key):
        """Support and query points of one wave."""
        amplitude, phase, x = (
            jax.random.uniform(k, s, minval=lo, maxval=hi)
            for k, s, lo, hi in zip(
                jax.random.split(key, 3),
                ((), (), (2 * shots, 1)),
                (0.1, 0.0, -5.0),
                (5.0, jnp.pi, 5.0),
            )
        )
        y = amplitude * jnp.sin(x + phase)
        return (x[:shots], y[:shots]), (x[shots:], y[shots:])

    def loss(params, batch):
        x, y = batch
        return jnp.mean((model.apply(params, state, x)[0] - y) ** 2)

    def adapted_loss(params, key):
        support, query = wave(key)
        grads = jax.grad(loss)(params, support)
        adapted = jax.tree.map(lambda p, g: p - inner_rate * g, params, grads)
        return loss(adapted, query)

    def outer_step(carry, key):
        params, opt_state = carry
        keys = jax.random.split(key, tasks)
        value, grads = jax.value_and_grad(
            lambda p: jax.vmap(adapted_loss, (None, 0))(p, keys).mean()
        )(params)
        params, opt_state = optimizer.step(grads, opt_state, params)
        return (params, opt_state), value

    keys = jax.random.split(jax.random.key(1), steps)
    (params, _), _ = jax.jit(lambda p: jax.lax.scan(outer_step, (p, optimizer.init(p)), keys))(
        params
    )
    new = jax.random.split(jax.random.key(2), 200)
    before = jax.vmap(lambda k: loss(params, wave(k)[1]))(new).mean()
    after = jax.vmap(lambda k: adapted_loss(params, k))(new).mean()
    return float(before), float(after)


def main(members=8, ensemble_steps=300, maml_steps=1000):
    """Runs the three; prints and returns what they found."""
    accuracies = ensemble(members, ensemble_steps)
    print("accuracy of each member:", np.round(accuracies, 3))
    norms = per_sample_gradient_norms()
    print(f"gradient norms of single digits: {norms.min():.2f} to {norms.max():.2f}")
    before, after = maml(maml_steps)
    print(f"MAML, error on new waves: {before:.3f} before one step, {after:.3f} after it")
    return accuracies, norms, (before, after)


if __name__ == "__main__":
    main()
