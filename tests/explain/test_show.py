"""Pictures of attributions: what is drawn is what was given."""

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
def test_a_waterfall_leads_from_the_baseline_to_the_score():
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
