"""Pictures of attributions: what is drawn is what was given."""

import sys
import types

import matplotlib
import numpy as np
import pytest

from jkeras import explain

matplotlib.use("Agg")
IMAGES = np.random.default_rng(0).uniform(size=(3, 8, 6, 3))
MAPS = np.random.default_rng(1).normal(size=(3, 4, 3))


@pytest.fixture(autouse=True)
def closed():
    yield
    matplotlib.pyplot.close("all")


def drawn(figure):
    """The last picture in each panel of the second row."""
    return [axis.get_images()[-1] for axis in figure.axes[3:6]]


def test_signed_maps_share_a_scale_around_zero():
    figure = explain.show(IMAGES, MAPS, "signed", labels=["a", "b", "c"], title="all")
    most = np.abs(MAPS).max()
    for picture, one in zip(drawn(figure), MAPS):
        np.testing.assert_array_equal(picture.get_array(), one)
        assert picture.get_clim() == (-most, most)
    assert [axis.get_title() for axis in figure.axes[:3]] == ["a", "b", "c"]
    assert figure.get_suptitle() == "all"


@pytest.mark.promise("`explain.show` draws them")
def test_overlays_are_of_sizes_and_lie_on_the_image():
    for picture, one in zip(drawn(explain.show(IMAGES, MAPS)), MAPS):
        np.testing.assert_allclose(picture.get_array(), np.abs(one) / np.abs(one).max())
        assert picture.get_extent() == [-0.5, 5.5, 7.5, -0.5]


def test_one_image_with_channels():
    figure = explain.show(IMAGES[0], IMAGES[0], "signed")
    np.testing.assert_allclose(figure.axes[1].get_images()[0].get_array(), IMAGES[0].sum(-1))


@pytest.mark.promise("Words are drawn on colours")
def test_words_on_their_colours():
    figure = explain.show(["bad", "good", "so"], [[-1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], "text")
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["bad", "good", "so"]
    red, _, blue, _ = zip(*(text.get_bbox_patch().get_facecolor() for text in texts))
    assert blue[0] > red[0] and red[1] > blue[1]
    assert red[2] == pytest.approx(blue[2], abs=0.02)


def test_long_texts_are_broken_into_lines():
    figure = explain.show(["word"] * 60, np.ones(60), "text")
    heights = [text.get_position()[1] for text in figure.axes[0].texts]
    assert heights == sorted(heights) and len(set(heights)) == 4


@pytest.mark.promise("Words are drawn on colours")
def test_a_waterfall_leads_from_the_baseline_to_the_score(without_shap):
    values = np.array([0.5, -2.0, 0.25, 0.125])
    figure = explain.show([1, 2, 3, 4], values, "waterfall", labels="abcd", base=1.0, limit=2)
    bars = figure.axes[0].patches
    ends = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars]
    assert ends == [(1.0, 1.375), (1.375, 1.875), (1.875, -0.125)]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["2 others", "a = 1", "b = 2"]


def test_errors():
    with pytest.raises(ValueError, match="Did you mean 'signed'"):
        explain.show(IMAGES, MAPS, "sgined")
    with pytest.raises(ValueError, match="up to 8 images"):
        explain.show(IMAGES, MAPS[:2])
    with pytest.raises(ValueError, match="a number for each of 2 words, received 3"):
        explain.show(["a", "b"], np.ones(3), "text")
    with pytest.raises(ValueError, match="one row and a number for each value"):
        explain.show(np.ones(3), np.ones(4), "waterfall")


@pytest.fixture
def without_shap(monkeypatch):
    monkeypatch.setitem(sys.modules, "shap", None)


@pytest.mark.promise("Words are drawn on colours")
class TestFeatures:
    ROWS = np.random.default_rng(2).normal(size=(30, 4))
    VALUES = ROWS * [1.0, -3.0, 0.5, 0.1]

    @pytest.mark.promise("These three are drawn by shap")
    def test_a_force_ends_at_the_score(self, without_shap):
        """What speaks for it comes from the left, what speaks against it from the right."""
        values = np.array([0.5, -2.0, 0.25, 0.125])
        figure = explain.show([1, 2, 3, 4], values, "force", labels="abcd", base=1.0, limit=3)
        bars = [
            sorted((bar.get_x(), bar.get_x() + bar.get_width())) for bar in figure.axes[0].patches
        ]
        assert bars == [[-0.125, 1.875], [-0.625, -0.125], [-0.875, -0.625], [-1.0, -0.875]]
        names = [text.get_text() for text in figure.axes[0].texts]
        assert names == ["b = 2", "a = 1", "c = 3", "1 others"]

    def test_a_swarm_has_each_row_at_its_value(self, without_shap):
        names = ["a", "b", "c", "d"]
        figure = explain.show(self.ROWS, self.VALUES, "beeswarm", labels=names, limit=3)
        axis = figure.axes[0]
        shown = [label.get_text() for label in axis.get_yticklabels()]
        assert shown == ["c", "a", "b"]
        for place, (name, points) in enumerate(zip(shown, axis.collections)):
            feature = names.index(name)
            found = np.asarray(points.get_offsets())
            np.testing.assert_allclose(found[:, 0], self.VALUES[:, feature])
            assert np.abs(found[:, 1] - place).max() < 0.5
            order = np.argsort(self.ROWS[:, feature])
            assert np.all(np.diff(points.get_array()[order]) >= 0)

    def test_equal_values_lie_beside_each_other(self, without_shap):
        figure = explain.show(np.zeros((9, 1)), np.zeros((9, 1)), "beeswarm")
        heights = np.asarray(figure.axes[0].collections[0].get_offsets())[:, 1]
        assert len(set(heights)) == 9 and np.abs(heights).max() < 0.5

    def test_categories_have_their_names(self, without_shap):
        figure = explain.show(["red", "large"], [1.0, -0.5], "waterfall", labels=["c", "size"])
        labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert labels == ["size = large", "c = red"]

    @pytest.mark.promise("These three are drawn by shap")
    @pytest.mark.parametrize("kind", ["waterfall", "force", "beeswarm"])
    def test_shap_draws_where_it_is_installed(self, monkeypatch, kind):
        """What is asked of it; shap itself below."""
        asked = []

        def plot(name):
            return lambda *args, **options: asked.append((name, args, options))

        plots = types.SimpleNamespace(**{name: plot(name) for name in ("waterfall", "beeswarm")})
        plots.force = plot("force")
        explanation = lambda *args, **options: (args, options)  # noqa: E731
        fake = types.SimpleNamespace(plots=plots, Explanation=explanation)
        monkeypatch.setitem(sys.modules, "shap", fake)
        is_swarm = kind == "beeswarm"
        rows, values = (self.ROWS, self.VALUES) if is_swarm else (self.ROWS[0], self.VALUES[0])
        figure = explain.show(rows, values, kind, base=2.0, limit=3, title="all")
        assert figure.get_suptitle() == "all"
        ((name, args, options),) = asked
        assert name == kind and options["show"] is False
        if kind == "force":
            assert args[0] == 2.0
            np.testing.assert_array_equal(args[1], values)
        else:
            (given, described) = args[0]
            np.testing.assert_array_equal(given[0], values)
            np.testing.assert_array_equal(np.unique(given[1]), [2.0])
            np.testing.assert_array_equal(described["data"], rows)
            assert options["max_display"] == 4

    @pytest.mark.parametrize("kind", ["waterfall", "force", "beeswarm"])
    @pytest.mark.filterwarnings("ignore")
    def test_by_shap(self, kind):
        pytest.importorskip("shap")
        is_swarm = kind == "beeswarm"
        rows, values = (self.ROWS, self.VALUES) if is_swarm else (self.ROWS[0], self.VALUES[0])
        figure = explain.show(rows, values, kind, base=2.0, labels=["a", "b", "c", "d"])
        texts = " ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))
        assert all(name in texts for name in "abcd")

    def test_what_does_not_go_together(self):
        for kind, rows in (("force", self.ROWS), ("beeswarm", self.ROWS[0])):
            with pytest.raises(ValueError, match=f"explain.show '{kind}'"):
                explain.show(rows, rows, kind)
        with pytest.raises(ValueError, match="a name of each of 4 features, received 2"):
            explain.show(self.ROWS[0], self.ROWS[0], "waterfall", labels=["a", "b"])
