"""What private training takes and reaches: the figures of docs/privacy.md.

    python -m benchmarks.privacy [--only memory microbatches accuracy account audit]

`accuracy` and `audit` are of the page's programs. Memory is that of the compiled programs; times
are ratios of processor time, of functions that take turns in one process. `account` takes the
package dp-accounting.
"""

import jax
import jax.numpy as jnp
import numpy as np

import jkeras
from benchmarks import kept, others, pages, targets
from benchmarks.worker import settle
from jkeras import layers, privacy

UNITS, BATCH, PARTS_OF_A_STEP = (784, 512, 512, 10), 256, 4
ROUNDS = {"plain": 20, "ghost": 20, "vmap": 3}
SEEDS = 5


def network(**options):
    """The network of the table."""
    wide = [layers.Dense(units, activation="relu") for units in UNITS[1:-1]]
    model = jkeras.Sequential([jkeras.Input(UNITS[:1]), *wide, layers.Dense(UNITS[-1])])
    loss = jkeras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, **options)
    return model


def gradients():
    """{name: (compiled function without arguments, the bytes of its temporaries)}."""
    model, rng = network(), np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(BATCH, UNITS[0])), "float32")
    y = jnp.asarray(rng.integers(0, UNITS[-1], BATCH))

    def loss(params, x, y):
        logits = model.apply(params, model.state, x[None])[0][0]
        return -jax.nn.log_softmax(logits)[y]

    def mean(params, x, y):
        logits = model.apply(params, model.state, x)[0]
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()

    forms = {"plain": jax.grad(mean)}
    forms |= {norms: privacy.clipped_grad(loss, norms=norms) for norms in ("ghost", "vmap")}
    for name, form in forms.items():
        compiled = jax.jit(form).lower(model.params, x, y).compile()
        size = compiled.memory_analysis().temp_size_in_bytes
        call = lambda run=compiled: jax.block_until_ready(run(model.params, x, y))
        yield name, call, size


def memory():
    """Temporaries of gradients, and processor time relative to the plain one."""
    forms = {name: (call, size) for name, call, size in gradients()}
    found = {name: {"temporary": size} for name, (_, size) in forms.items()}
    for name in ("ghost", "vmap"):
        both = {one: forms[one][0] for one in ("plain", name)}
        times = others.measure(both, ROUNDS[name])
        found[name]["time"] = targets.ratio(times, name, "plain")._asdict()
    return found


def microbatches():
    """Temporaries of a step of `fit` that makes a gradient for each row, whole and in parts."""
    return {
        str(count): network(
            privacy=privacy.DPSGD(norms="vmap", noise_multiplier=1.0, delta=1e-5, batch_size=BATCH),
            microbatches=count,
        )
        .plan(BATCH)
        .memory.temporary
        for count in (1, PARTS_OF_A_STEP)
    }


def accuracy():
    """What the page's two trainings reach on unseen digits, by the seed."""
    names = pages.run(pages.programs("privacy")[0])
    x, y, test = names["x"], names["y"], (names["x_test"], names["y_test"])
    ways = {
        "noise": (dict(noise_multiplier=4.0), dict(batch_size=256, epochs=20)),
        "epsilon": (dict(epsilon=3.0), dict(batch_size=512, epochs=60)),
    }
    found = {}
    for way, (options, training) in ways.items():
        found[way] = []
        for seed in range(SEEDS):
            jkeras.utils.set_random_seed(seed)
            model = names["compiled"](privacy=privacy.DPSGD(clip=1.0, delta=1e-4, **options))
            model.fit(x, y, **training, verbose=0)
            found[way].append(model.evaluate(*test, verbose=0)[1])
    return found


def account():
    """The epsilon of the page's first training by both accountants."""
    rows = 1438
    run = dict(noise_multiplier=4.0, q=256 / rows, steps=20 * -(-rows // 256), delta=1e-4)
    return {name: privacy.epsilon(**run, accountant=name) for name in ("rdp", "pld")}


def audit():
    """What the page's attack finds."""
    programs = pages.programs("privacy")
    names = pages.run(programs[0])
    pages.run(next(one for one in programs if "audit.lira" in one), names)
    return {
        name: {"auc": float(names[name].auc), "epsilon": float(names[name].epsilon)}
        for name in ("plain", "private")
    }


PARTS = {
    "memory": (memory, ()),
    "microbatches": (microbatches, ()),
    "accuracy": (accuracy, ()),
    "account": (account, ("dp-accounting",)),
    "audit": (audit, ()),
}


if __name__ == "__main__":
    settle()
    kept.command("privacy", __doc__, PARTS)
