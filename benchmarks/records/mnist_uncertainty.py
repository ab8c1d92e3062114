"""How sure networks of digits may be: one, dropout, SWAG, Laplace, and an ensemble of five.

The network is that of Lakshminarayanan et al. 2017. In the papers an ensemble is best, and none of
the others worse than the one network: by the likelihood of labels that were held back, and by the
gap between confidence and accuracy (Guo et al. 2017).
"""

import jax
import numpy as np

from benchmarks import mnist
from benchmarks.records.record import Record, Row

EPOCHS, BATCH, SAMPLES, HELD = 15, 64, 50, 400
PRECISIONS = (1.0, 10.0, 100.0, 1000.0)


def log_likelihood(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Of labels, on the average."""
    return float(np.log(probabilities[np.arange(len(y)), y]).mean())


def laplace(model, x, y, x_held, y_held):
    """Of the last layer, with the prior by which held labels are likeliest: the marginal likelihood
    takes a prior here that makes digits less certain than they are.
    """
    from jkeras import uncertainty

    given = {"structure": "last_layer", "from_logits": True}
    fits = [uncertainty.laplace(model, x, y, prior_precision=p, **given) for p in PRECISIONS]
    return max(fits, key=lambda fit: log_likelihood(y_held, np.asarray(fit.predict(x_held))))


def of_ways() -> dict[str, np.ndarray]:
    """Probabilities (rows, classes) by each way."""
    import jkeras
    from jkeras import uncertainty

    jkeras.utils.set_random_seed(0)
    x, y, x_test, _ = mnist.images()
    x, y, x_held, y_held = x[HELD:], y[HELD:], x[:HELD], y[:HELD]
    steps = EPOCHS * -(-len(x) // BATCH)
    model = mnist.compiled(jkeras, mnist.hidden_layers(), steps, peak=1e-3)
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, ensemble=5, seed=0, verbose=0)
    members = np.asarray(jax.nn.softmax(model.predict(x_test, members=True, verbose=0)))
    one = model.member(0)
    dropped = uncertainty.mc_dropout(one, x_test, samples=SAMPLES, rng=0).samples
    fitted = laplace(one, x, y, x_held, y_held)
    found = {
        "one network": members[0],
        "MC dropout": np.asarray(jax.nn.softmax(dropped)).mean(0),
        "Laplace of the last layer": np.asarray(fitted.predict(x_test)),
        "an ensemble of five": members.mean(0),
    }
    gathered = uncertainty.SWAG(start_epoch=0, every=1, rank=10)
    one.compile(jkeras.optimizers.SGD(0.02, momentum=0.9), one.loss)
    one.fit(x, y, batch_size=BATCH, epochs=12, verbose=0, callbacks=[gathered])
    outputs = gathered.predict(x_test, samples=SAMPLES, rng=0)
    return found | {"SWAG": np.asarray(jax.nn.softmax(outputs)).mean(0)}


def measure() -> list[Row]:
    from jkeras import uncertainty

    y, ways = mnist.images()[3], of_ways()
    losses = {name: -log_likelihood(y, probabilities) for name, probabilities in ways.items()}
    best_of_others = min(loss for name, loss in losses.items() if name != "an ensemble of five")
    most = dict.fromkeys(losses, 1.05 * losses["one network"])
    most["an ensemble of five"] = best_of_others
    rows = []
    for name, loss in losses.items():
        gap = uncertainty.expected_calibration_error(y, ways[name])
        rows += [
            Row(f"{name}: negative log-likelihood", loss, most=most[name]),
            Row(f"{name}: expected calibration error", gap, most=0.04),
        ]
    return rows


RECORD = Record(
    group="data",
    title="MNIST: how sure",
    about="Three layers of 200 units on 3,600 images; dropout, Laplace, SWAG and an ensemble "
    "beside the one network.",
    packages=(mnist.PACKAGE,),
    licence=mnist.LICENCE,
    source="Lakshminarayanan et al., NeurIPS 2017; Gal and Ghahramani, ICML 2016; Maddox et al., "
    "NeurIPS 2019; Daxberger et al., NeurIPS 2021",
    measure=measure,
    minutes=2,
)
