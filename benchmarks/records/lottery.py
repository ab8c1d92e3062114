"""Lottery tickets: most weights can go, if those that stay begin where they began.

Frankle and Carbin (2019): a network is trained, its weights of least magnitude are cut, the others
go back to their initial values, and so on, a fifth in each round. What is left trains as well as
the whole network did. With new random weights in the same places it does not.

Here it is a network of two hidden layers on the digits, cut over all its kernels together. All
rounds are one `lax.scan`, within which trainings of tickets and of their copies with new weights
run side by side, and seeds are a `vmap` of it: one program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, over

SEEDS, ROUNDS, STEPS, BATCH = 8, 14, 500, 60
KEPT = 0.2 ** (1 / 7)  # in each round, of the weights: 20 % after 7, 5 % after 13
AT_20, AT_5 = 7, 13


def build() -> Any:
    """The network, compiled."""
    import jkeras
    from jkeras import layers

    dense = [layers.Dense(width, "relu") for width in (150, 75)]
    model = jkeras.Sequential([jkeras.Input((64,)), *dense, layers.Dense(10)])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(jkeras.optimizers.Adam(1.2e-3), loss)
    return model


def masked(params: dict, masks: dict) -> dict:
    """The params with the kernels of the ticket; biases stay."""
    kernels = {name: {"kernel": params[name]["kernel"] * mask} for name, mask in masks.items()}
    return {name: values | kernels[name] for name, values in params.items()}


def smaller(masks: dict, params: dict) -> dict:
    """The masks without the weights of least magnitude of all kernels together."""
    sizes = {name: jnp.abs(params[name]["kernel"]) * mask for name, mask in masks.items()}
    flat = jnp.sort(jnp.concatenate([size.ravel() for size in sizes.values()]))
    left = sum(mask.sum() for mask in masks.values()) * KEPT
    least = flat[len(flat) - jnp.round(left).astype(int)]
    return {name: (size >= least).astype("float32") for name, size in sizes.items()}


def tickets(model: Any, x: Any, y: Any, x_test: Any, y_test: Any) -> Any:
    """A function of a seed's key, for each round: (share of weights left, accuracies on the test
    digits of the ticket and of the same with new weights).
    """
    from jkeras.training import init_train_state, make_predict_step, make_train_step

    step, predict = make_train_step(model), make_predict_step(model)

    def trained(state, masks, key):
        def one(state, rows):
            state, _ = step(state, (x[rows], y[rows]))
            return state.replace(params=masked(state.params, masks)), None

        rows = jax.random.randint(key, (STEPS, BATCH), 0, len(x))
        state = jax.lax.scan(one, state.replace(params=masked(state.params, masks)), rows)[0]
        return state.params, (predict(state, x_test).argmax(-1) == y_test).mean()

    def of_seed(key):
        keys = jax.random.split(key, ROUNDS + 1)
        first = init_train_state(model, keys[0])

        def one_round(masks, key):
            kept = sum(mask.sum() for mask in masks.values()) / total
            others = init_train_state(model, key)
            both = jax.tree.map(lambda *leaves: jnp.stack(leaves), first, others)
            params, right = jax.vmap(trained, (0, None, None))(both, masks, key)
            mine = jax.tree.map(lambda leaf: leaf[0], params)
            return smaller(masks, mine), (kept, *right)

        masks = {name: jnp.ones_like(each["kernel"]) for name, each in first.params.items()}
        total = sum(mask.size for mask in masks.values())
        return jax.lax.scan(one_round, masks, keys[1:])[1]

    return of_seed


def measure() -> tuple[list[Row], dict]:
    from jkeras.datasets import digits

    (x, y), (x_test, y_test) = digits.load_data()
    x, x_test = (jnp.asarray(each.reshape(-1, 64) / 16, "float32") for each in (x, x_test))
    y, y_test = jnp.asarray(y, "int32"), jnp.asarray(y_test, "int32")
    run = jax.jit(jax.vmap(tickets(build(), x, y, x_test, y_test)))
    kept, ticket, new = map(np.asarray, run(jax.random.split(jax.random.key(0), SEEDS)))
    whole = ticket[:, 0]
    rows = [over("accuracy of the whole network", whole, least=0.96)]
    for round_, percent, worse, luck in ((AT_20, 20, -0.01, 0.015), (AT_5, 5, -0.05, 0.015)):
        one, other = ticket[:, round_], new[:, round_]
        of = f"{percent} % of the weights"
        rows += [
            Row(f"share of weights left, {of}", kept[0, round_]),
            over(f"accuracy of tickets, {of}", one),
            over(f"accuracy of new weights in their places, {of}", other),
            over(f"tickets less the whole network, {of}", one - whole, least=worse),
            over(f"tickets less new weights, {of}", one - other, least=luck),
        ]
    means = {"ticket": ticket.mean(0).tolist(), "new": new.mean(0).tolist()}
    return rows, {"kept": kept[0].tolist()} | means


def draw(figure: Any, data: dict) -> None:
    """The accuracies over the share of weights that is left."""
    axes = figure.subplots()
    axes.plot(data["kept"], data["ticket"], "o-", markersize=3, label="initial weights (tickets)")
    axes.plot(data["kept"], data["new"], "o-", markersize=3, label="new random weights")
    axes.set(xscale="log", xlabel="share of weights left", ylabel="accuracy, test digits")
    axes.invert_xaxis()
    axes.legend(frameon=False)


RECORD = Record(
    group="papers",
    title="Lottery tickets: 20 % of the weights do, where they begin as they began",
    about="Iterative magnitude pruning of a network on the digits, 14 rounds, beside the same "
    "places with new weights; eight seeds in one program.",
    packages=(),
    licence="digits: CC BY 4.0",
    source="Frankle and Carbin, ICLR 2019: tickets of 20 % of the weights or less reach the whole "
    "network's accuracy, new weights in their places do not",
    measure=measure,
    minutes=1,
    draw=draw,
)
