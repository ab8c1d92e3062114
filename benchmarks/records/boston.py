"""What houses of Boston cost, and how likely that is, by the protocol of the papers.

Their 20 splits in nine parts and one, a network of 50 hidden units: dropout (Gal and Ghahramani
2016) and five networks that say a mean and a variance (Lakshminarayanan et al. 2017), as in
`benchmarks/boston.py`, which compares them with Laplace too. Gal's published program, 400 epochs
with batches of 128 rows, does not come to the numbers of its paper, by its own log; neither does it
here. 1,000 epochs with batches of 32 do. Behind ± is the standard error of 20 splits.
"""

import math

from benchmarks import boston
from benchmarks.records.record import Record, Row, importable

PACKAGE = "mlxtend==0.25.0"


def rows_of(
    what: str, found: dict, rmse: tuple[float, float], nll: tuple[float, float]
) -> list[Row]:
    """Rows of what `benchmarks/boston.py` gives.

    Args:
        rmse, nll: what was published, and the standard error, by which ours may be larger.
    """
    published = {"rmse": ("RMSE", *rmse), "nll": ("negative log-likelihood", *nll)}
    return [
        Row(
            f"{what}: {name}",
            found[key],
            f"{paper} ± {error}",
            spread=found[f"{key}_error"] * math.sqrt(boston.SPLITS),
            most=paper + error,
        )
        for key, (name, paper, error) in published.items()
    ]


def measure() -> list[Row]:
    importable(PACKAGE)
    as_published = boston.dropout(epochs=400, batch=128)
    return [
        *rows_of("MC dropout", boston.dropout(), (2.97, 0.19), (2.46, 0.06)),
        *rows_of("Gal's published program", as_published, (3.18, 0.21), (2.68, 0.13)),
        *rows_of("ensemble of five", boston.ensemble(), (3.28, 0.22), (2.41, 0.06)),
    ]


RECORD = Record(
    group="data",
    title="Prices of Boston's houses, with likelihoods",
    about="506 rows in the papers' 20 splits, a hidden layer of 50 units: MC dropout, and "
    "ensembles of five that say a mean and a variance; all splits are one program.",
    packages=(PACKAGE,),
    licence="of the rows: in the public domain (StatLib); of mlxtend: BSD-3",
    source="Gal and Ghahramani, ICML 2016, and the log of yaringal/DropoutUncertaintyExps; "
    "Lakshminarayanan et al., NeurIPS 2017; the splits: Hernández-Lobato and Adams, ICML 2015",
    measure=measure,
    minutes=4,
)
