"""What Laplace approximations say: the figures of docs/laplace.md.

    python -m benchmarks.laplace [--only confidence torch]

`confidence` is that of the page's first program. `torch` compares with laplace-torch, on the
network and the rows of tests/uncertainty/test_laplace_torch.py; it takes pytest, torch and
laplace-torch.
"""

import numpy as np

from benchmarks import kept, pages
from jkeras import uncertainty

STRUCTURES = ("full", "kron", "diag", "last_layer")


def confidence():
    """What the page's model and its approximations say of unseen digits, and of the same
    inverted.
    """
    names = pages.run(pages.programs("laplace")[0])
    model, x, y, x_test, y_test = (names[n] for n in ("model", "x", "y", "x_test", "y_test"))

    def row(predict):
        seen, inverted = predict(x_test), predict(names["inverted"])
        right = float((seen.argmax(axis=1) == y_test).mean())
        return {
            "seen": names["confidence"](seen),
            "inverted": names["confidence"](inverted),
            "right": right,
        }

    found = {"model": row(lambda x: model.predict(x, verbose=0))}
    for structure in STRUCTURES:
        fitted = uncertainty.laplace(model, x, y, structure=structure, prior_precision="marglik")
        found[structure] = row(lambda x, fitted=fitted: np.asarray(fitted.predict(x)))
    return {"parameters": model.count_params(), "rows": len(x), "said": found}


def share(found, wanted):
    """The largest difference, relative to the largest number."""
    wanted = np.asarray(wanted)
    return float(np.abs(np.float64(found) - wanted).max() / np.abs(wanted).max())


def beside_torch():
    """Largest differences to laplace-torch in float64."""
    import torch

    from tests.uncertainty import test_laplace_torch as beside

    x, y, x_test = beside.data()
    sizes, found = beside.SIZES, {}
    for structure in STRUCTURES:
        theirs = beside.theirs(beside.in_torch(sizes), x, y, structure, prior_precision=0.7)
        ours = uncertainty.laplace(
            beside.mlp(sizes), x, y, structure=structure, prior_precision=0.7
        )
        probit = theirs(torch.tensor(x_test), link_approx="probit").detach().numpy()
        evidence = theirs.log_marginal_likelihood().item()
        found[structure] = {
            "covariance": covariance(beside, ours, theirs, structure),
            "probit": share(ours.predict(x_test), probit),
            "evidence": share(ours.log_marginal_likelihood, evidence),
        }
    return found


def covariance(beside, ours, theirs, structure):
    """The difference of covariances; None where laplace-torch has no matrix."""
    if structure == "kron":
        return None
    if structure == "diag":
        order = beside.order(beside.SIZES)
        return share(ours.covariance, theirs.posterior_variance.numpy()[order])
    order = beside.order(beside.SIZES[1:] if structure == "last_layer" else beside.SIZES)
    return share(ours.covariance, theirs.posterior_covariance.numpy()[np.ix_(order, order)])


PARTS = {"confidence": (confidence, ()), "torch": (beside_torch, ("torch", "laplace-torch"))}


if __name__ == "__main__":
    kept.command("laplace", __doc__, PARTS)
