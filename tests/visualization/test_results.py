"""What a classifier confuses: counts beside scikit-learn's, what is refused, and the pictures."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as by_sklearn

import jkeras
from jkeras import visualization

RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 4, 60)
LOGITS = RNG.normal(size=(60, 4)) + 2 * np.eye(4)[TRUE]
P = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=-1, keepdims=True)
PREDICTED = LOGITS.argmax(axis=-1)
NAMES = ["ant", "bee", "cat", "dog"]
TEXTS = np.array(NAMES)
WANTED = by_sklearn(TRUE, PREDICTED)

FORMS = {
    "labels": (TRUE, PREDICTED),
    "lists": (TRUE.tolist(), PREDICTED.tolist()),
    "columns": (TRUE[:, None], PREDICTED[:, None].astype("float32")),
    "one-hot": (np.eye(4)[TRUE], np.eye(4)[PREDICTED]),
    "probabilities": (TRUE, P.astype("float16")),
    "logits of several classes": (np.eye(4)[TRUE], LOGITS),
    "arrays of JAX": (jkeras.ops.array(TRUE), jkeras.ops.array(P)),
    "texts": (TEXTS[TRUE], list(TEXTS[PREDICTED])),
    "texts and probabilities": (TEXTS[TRUE], P),
    "words": (TRUE.reshape(12, 5), LOGITS.reshape(12, 5, 4)),
    "pixels": (TRUE.reshape(3, 4, 5, 1), P.reshape(3, 4, 5, 4)),
    "pixels as classes": (TRUE.reshape(3, 4, 5), PREDICTED.reshape(3, 4, 5)),
}


@pytest.mark.promise("labels, one-hot rows, probabilities, logits of several classes, or texts")
@pytest.mark.parametrize("form", FORMS)
def test_counts_are_those_of_sklearn(form):
    counts = visualization.confusion_counts(*FORMS[form], NAMES)
    np.testing.assert_array_equal(counts, WANTED)


@pytest.mark.parametrize("shape", [(60,), (60, 1)])
def test_two_classes(shape):
    true, p = TRUE % 2, RNG.uniform(size=60)
    wanted = by_sklearn(true, p > 0.5)
    counts = visualization.confusion_counts(true.reshape(shape), p.reshape(shape))
    np.testing.assert_array_equal(counts, wanted)
    counts = visualization.confusion_counts(np.eye(2)[true], p.reshape(shape))
    np.testing.assert_array_equal(counts, wanted)


@pytest.mark.parametrize("normalize", ["true", "pred", "all"])
def test_shares_are_those_of_sklearn(normalize):
    true, predicted = np.append(TRUE, 5), np.append(PREDICTED, 6)  # empty rows and columns
    wanted = by_sklearn(true, predicted, labels=range(7), normalize=normalize)
    shares = visualization.confusion_counts(true, predicted, normalize=normalize)
    np.testing.assert_allclose(shares, wanted)
    if normalize == "true":
        np.testing.assert_array_equal(
            visualization.confusion_counts(true, predicted, normalize=True), shares
        )


def test_classes_that_no_example_has():
    counts = visualization.confusion_counts([0, 1], [0, 1], ["a", "b", "c"])
    np.testing.assert_array_equal(counts, np.diag([1, 1, 0]))
    counts = visualization.confusion_counts([0, 0], [0, 0])
    np.testing.assert_array_equal(counts, [[2, 0], [0, 0]])


REFUSED = {
    "logits of two classes": ((TRUE % 2, LOGITS[:, 0]), "pass `logits > 0`"),
    "negative classes": (([0, -1], [0, 1]), "classes from 0"),
    "fractions": (([0, 1.5], [0, 1]), "classes from 0"),
    "lengths": (([0, 1], [0, 1, 1]), r"as many predictions as labels, received \(2,\), \(3,\)"),
    "nothing": (([], []), "as many predictions as labels"),
    "NaN": (([0, 1], [[np.nan, 1], [0, 1]]), "NaN"),
    "several classes an example": (([[1, 1, 0]], [[0.9, 0.8, 0.1]]), "one class for each example"),
    "too few names": (([0, 1, 2], [0, 1, 2], ["a", "b"]), "names of 3 classes"),
    "texts and numbers": ((["a", "b"], [0, 1]), "pass `names`"),
    "an unknown text": ((["a", "z"], ["a", "b"], ["a", "b"]), r"received \['z'\]"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(name):
    arguments, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        visualization.confusion_counts(*arguments)
    with pytest.raises(ValueError, match="Did you mean 'true'"):
        visualization.confusion_counts([0, 1], [0, 1], normalize="ture")


# ---------------------------------------------------------------- pictures


@pytest.fixture
def figures(monkeypatch):
    """The figures that are made, which are closed when they have been shown."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    pyplot.close("all")  # those of other tests of this process
    made, subplots = [], pyplot.subplots

    def noted(*args, **options):
        figure, axes = subplots(*args, **options)
        made.append(figure)
        return figure, axes

    monkeypatch.setattr(pyplot, "subplots", noted)
    yield made
    assert not pyplot.get_fignums()


def texts(axes):
    return [text.get_text() for text in axes.texts]


@pytest.mark.promise("a number in each cell")
def test_a_confusion_matrix(figures, tmp_path):
    visualization.confusion_matrix(TRUE, P, NAMES, title="Insects?", path=tmp_path / "a.png")
    visualization.confusion_matrix(TRUE, P, dict(enumerate(NAMES)), normalize=True, show=False)
    assert (tmp_path / "a.png").stat().st_size > 1000
    plain, shares = (figure.axes[0] for figure in figures)
    assert texts(plain) == [str(count) for count in WANTED.ravel()]
    wanted = by_sklearn(TRUE, PREDICTED, normalize="true")
    assert texts(shares) == [f"{share:.2f}" for share in wanted.ravel()]
    for axes in (plain, shares):
        labels = [
            [label.get_text() for label in axis.get_ticklabels()]
            for axis in (axes.xaxis, axes.yaxis)
        ]
        assert labels == [NAMES, NAMES]
    assert (plain.get_title(), plain.get_xlabel(), plain.get_ylabel()) == (
        "Insects?",
        "predicted",
        "true",
    )


def test_many_classes_have_no_numbers(figures):
    visualization.confusion_matrix(np.arange(60), np.arange(60), show=False)
    assert not figures[0].axes[0].texts


@pytest.mark.promise("the images of the highest loss")
def test_the_worst_examples(figures, tmp_path):
    images = RNG.uniform(0, 255, (60, 6, 5, 3))
    worst = visualization.plot_worst_examples(
        images, TRUE, P, NAMES, count=5, path=tmp_path / "w.png"
    )
    losses = np.asarray(jkeras.losses.sparse_categorical_crossentropy(TRUE, P))
    np.testing.assert_array_equal(worst, np.argsort(-losses)[:5])
    first = worst[0]
    axes = figures[0].axes[0]
    assert axes.get_title() == (
        f"{NAMES[TRUE[first]]}\n{NAMES[PREDICTED[first]]}? {100 * P[first].max():.0f} %"
    )
    np.testing.assert_array_equal(axes.images[0].get_array(), images[first].astype("uint8"))
    own = visualization.plot_worst_examples(images, TRUE, P, losses=np.arange(60), show=False)
    np.testing.assert_array_equal(own, np.arange(59, 43, -1))
    of_two = visualization.plot_worst_examples(images[:3], [0, 1, 1], [0.9, 0.8, 0.3], show=False)
    np.testing.assert_array_equal(of_two, [0, 2, 1])


def test_what_has_no_worst_examples():
    images = np.zeros((60, 6, 5, 3))
    for arguments, words in (
        ((images, TRUE, LOGITS), "ops.softmax"),
        ((images[:3], TRUE, P), "3 labels, as images"),
        ((images[0], TRUE, P), "batch of images"),
    ):
        with pytest.raises(ValueError, match=words):
            visualization.plot_worst_examples(*arguments)


@pytest.mark.promise("its validation dashed")
def test_curves_of_several_trainings(figures, tmp_path):
    history = jkeras.callbacks.History()
    history.history = {"loss": [3.0, 2.0, 1.0], "val_loss": [3.5], "accuracy": [0.1, 0.2, 0.3]}
    runs = {"small": history, "large": {"loss": [2.0, 1.0], "lr": [0.1, 0.1]}}
    visualization.plot_runs(runs, path=tmp_path / "r.png")
    loss, accuracy, rate = (axes for axes in figures[0].axes if axes.get_title())
    assert [axes.get_title() for axes in (loss, accuracy, rate)] == ["loss", "accuracy", "lr"]
    lines = {line.get_label(): line for line in loss.lines}
    assert list(lines) == ["small", "small, validation", "large"]
    assert lines["small"].get_color() == lines["small, validation"].get_color() == "C0"
    assert lines["small, validation"].get_linestyle() == "--"
    np.testing.assert_array_equal(lines["large"].get_xydata(), [[1, 2.0], [2, 1.0]])
    visualization.plot_runs(runs, ["loss"], show=False)
    assert len(figures[1].axes) == 1
    for wrong in (({},), (runs, ["los"])):
        with pytest.raises(ValueError, match="trainings with results"):
            visualization.plot_runs(*wrong)
    with pytest.raises(ValueError, match="{name: what `fit` returned}, received list"):
        visualization.plot_runs([history])


def test_shown_or_written_but_not_both(figures, tmp_path):
    with pytest.raises(ValueError, match="not both"):
        visualization.confusion_matrix([0, 1], [0, 1], path=tmp_path / "a.png", show=True)
