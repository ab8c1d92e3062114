"""Weights from which one step of gradient descent learns a new wave (MAML).

Finn, Abbeel and Levine (2017): the regression of sine waves, of which 5 or 10 points are known, by
a network of two hidden layers of 40 units that takes steps of 0.01. Their figures show curves; the
numbers are those of Li et al. (2017), who ran MAML beside their Meta-SGD.

The loss after a step is an expression of pure functions, which `jax.grad` goes through. A network
that is trained on all waves at once, the paper's baseline, is the case of an inner rate of 0; so
both ways, both numbers of points and all seeds are one `vmap` of one program.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, over

SEEDS, TASKS, STEPS, MOST, RATE = 3, 25, 15_000, 10, 0.01
WAVES, POINTS, LATER = 600, 100, 10  # to be judged by; steps in the end
CASES = {"MAML, 5 points": (5, RATE), "MAML, 10 points": (10, RATE)}
OTHERS = "all waves at once"
CASES |= {f"{OTHERS}, 5 points": (5, 0.0), f"{OTHERS}, 10 points": (10, 0.0)}
PUBLISHED = {5: 1.13, 10: 0.77}  # after a step; its 95 % intervals: 0.18 and 0.11


def wave(key: Any, points: int) -> tuple:
    """(x, y), (points, 1) each, of a random wave."""
    keys = jax.random.split(key, 3)
    amplitude = jax.random.uniform(keys[0], minval=0.1, maxval=5.0)
    phase = jax.random.uniform(keys[1], maxval=jnp.pi)
    x = jax.random.uniform(keys[2], (points, 1), minval=-5.0, maxval=5.0)
    return x, amplitude * jnp.sin(x - phase)


def network() -> Any:
    """x -> y."""
    import jkeras
    from jkeras import layers

    return jkeras.Sequential([*(layers.Dense(40, "relu") for _ in range(2)), layers.Dense(1)])


def adapted(loss: Any, params: Any, points: tuple, shots: Any, rate: Any) -> Any:
    """The params after a step on the first `shots` points."""
    weights = (jnp.arange(len(points[0])) < shots)[:, None] / shots
    grads = jax.grad(loss)(params, *points, weights)
    return jax.tree.map(lambda p, g: p - rate * g, params, grads)


def trained(init: Any, loss: Any, key: Any, shots: Any, rate: Any) -> Any:
    """The params that are good for `shots` points after a step of a rate."""
    import jkeras

    optimizer = jkeras.optimizers.Adam(jkeras.optimizers.schedules.CosineDecay(1e-3, STEPS))

    def of_wave(params, key):
        x, y = wave(key, 2 * MOST)
        params = adapted(loss, params, (x[:MOST], y[:MOST]), shots, rate)
        return loss(params, x[MOST:], y[MOST:], 1 / MOST)

    def step(carry, key):
        keys = jax.random.split(key, TASKS)
        grads = jax.grad(lambda p: jax.vmap(of_wave, (None, 0))(p, keys).mean())(carry[0])
        return optimizer.step(grads, carry[1], carry[0]), None

    params = init(key)
    keys = jax.random.split(jax.random.fold_in(key, 1), STEPS)
    return jax.lax.scan(step, (params, optimizer.init(params)), keys)[0][0]


def judged(loss: Any, params: Any, shots: Any) -> Any:
    """(steps + 1,): the mean error on new waves before and after each step."""

    def of_wave(key):
        x, y = wave(key, MOST + POINTS)
        points, others = (x[:MOST], y[:MOST]), (x[MOST:], y[MOST:])
        step = lambda params, _: (
            (adapted(loss, params, points, shots, RATE),) + (loss(params, *others, 1 / POINTS),)
        )
        return jax.lax.scan(step, params, None, LATER + 1)[1]

    return jax.vmap(of_wave)(jax.random.split(jax.random.key(99), WAVES)).mean(0)


def errors() -> np.ndarray:
    """(cases, seeds, steps + 1), as `judged` gives."""
    net, x = network(), jax.ShapeDtypeStruct((1, 1), "float32")
    _, state = net.init(jax.random.key(0), x)

    def loss(params, x, y, weights):
        return (weights * (net.apply(params, state, x)[0] - y) ** 2).sum()

    def of_case(key, case):
        params = trained(lambda key: net.init(key, x)[0], loss, key, *case)
        return judged(loss, params, case[0])

    of_cases = jax.vmap(jax.vmap(of_case, (0, None)), (None, 0))
    cases = tuple(map(jnp.asarray, zip(*CASES.values())))
    return np.asarray(jax.jit(of_cases)(jax.random.split(jax.random.key(0), SEEDS), cases))


def measure() -> tuple[list[Row], dict]:
    found = dict(zip(CASES, errors()))
    rows = []
    for points, published in PUBLISHED.items():
        one, other = (found[f"{name}, {points} points"] for name in ("MAML", OTHERS))
        of = f"{points} points"
        rows += [
            over(f"MAML, {of}, after a step", one[:, 1], published=published, most=published),
            over(f"MAML, {of}, after {LATER} steps", one[:, LATER], published="less"),
            over(f"it is less after {LATER} steps by", one[:, 1] - one[:, LATER], least=0.1),
            over(f"{OTHERS}, {of}, after a step", other[:, 1]),
            over(f"{OTHERS}, {of}, after {LATER} steps", other[:, LATER]),
            over("so many times MAML's", other[:, LATER] / one[:, LATER], least=3.0),
        ]
    return rows, {name: curves.mean(0).tolist() for name, curves in found.items()}


def draw(figure: Any, data: dict) -> None:
    """The errors over the steps."""
    axes = figure.subplots()
    for number, (name, curve) in enumerate(data.items()):
        axes.plot(curve, "-" if number < 2 else "--", color=f"C{number % 2}", label=name)
    axes.set(yscale="log", xlabel="steps of gradient descent", ylabel="mean squared error")
    axes.legend(frameon=False, loc="center right")


RECORD = Record(
    group="papers",
    title="MAML: a new sine wave is learnt by one step on 5 or 10 points",
    about="Second-order MAML and a network trained on all waves, for 5 and 10 points, three seeds "
    "each, in one program.",
    packages=(),
    licence="no data",
    source="Finn et al., ICML 2017; the numbers: Li et al., Meta-SGD, 2017, table 1",
    measure=measure,
    minutes=4,
    draw=draw,
)
