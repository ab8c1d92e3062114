"""Boxes, masks and galleries: which pixels change, which files appear."""

import numpy as np
import pytest

from jkeras import visualization


def test_boxes():
    boxes = {"boxes": np.array([[[2, 2, 5, 5], [0, 0, 9, 9]]]), "labels": np.array([[1, -1]])}
    for images in (np.zeros((1, 10, 10, 3)), np.zeros((1, 3, 10, 10))):
        first = images.shape[1] == 3
        drawn = visualization.draw_bounding_boxes(
            images,
            boxes,
            "xyxy",
            color=(1, 2, 3),
            line_thickness=2,
            data_format="channels_first" if first else "channels_last",
        )
        pixels = drawn.transpose(0, 2, 3, 1) if first else drawn
        assert (
            pixels[0, 2, 3].tolist() == [1, 2, 3]
            and not pixels[0, 3:5, 3:5].any()
            and not pixels[0, 8:].any()
        )
        assert drawn.dtype == "uint8" and not images.any()
    relative = {"boxes": np.array([[[0.2, 0.2, 0.5, 0.5]]]), "labels": np.array([[1]])}
    same = visualization.draw_bounding_boxes(
        np.zeros((1, 10, 10, 3)), relative, "rel_xyxy", color=(1, 2, 3)
    )
    np.testing.assert_array_equal(same, pixels)
    with pytest.raises(TypeError):
        visualization.draw_bounding_boxes(np.zeros((1, 4, 4, 3)), [1], "xyxy")
    with pytest.raises(ValueError, match="labels"):
        visualization.draw_bounding_boxes(np.zeros((1, 4, 4, 3)), {"boxes": 1}, "xyxy")
    with pytest.raises(ValueError, match="batch"):
        visualization.draw_bounding_boxes(np.zeros((4, 4, 3)), boxes, "xyxy")


def test_names_beside_boxes():
    pytest.importorskip("PIL")
    boxes = {
        "boxes": np.array([[[5, 40, 60, 60]]]),
        "labels": np.array([[1]]),
        "confidences": np.array([[0.5]]),
    }
    plain, named = (
        visualization.draw_bounding_boxes(np.zeros((1, 80, 80, 3)), boxes, "xyxy", names)
        for names in (None, {1: "cat"})
    )
    assert (plain != named)[0, :39].any() and (plain == named)[0, 45:].all()


def test_masks():
    images = np.full((1, 2, 2, 3), 100.0)
    masks = np.array([[[[0], [1]], [[2], [-1]]]])
    drawn = visualization.draw_segmentation_masks(
        images, masks, 3, [(0, 0, 0), (200, 0, 0), (0, 200, 0)], 0.5
    )
    assert drawn[0].tolist() == [[[50] * 3, [150, 50, 50]], [[50, 150, 50], [100] * 3]]
    raw = visualization.draw_segmentation_masks(images, masks, 3, blend=False)
    assert (
        raw.dtype == "float32"
        and raw[0, 0, 0].tolist() == [0, 0, 0]
        and raw[0, 1, 1].tolist() == [100] * 3
    )
    with pytest.raises(TypeError):
        visualization.draw_segmentation_masks(images, masks.astype("float32"))


def test_galleries(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    images = np.random.default_rng(0).random((5, 8, 8, 3)) * 255
    visualization.plot_image_gallery(
        images, [0] * 5, np.ones(5), {0: "a", 1: "b"}, path=tmp_path / "a.png"
    )
    boxes = {"boxes": np.tile([1.0, 1, 5, 5], (5, 1, 1)), "labels": np.zeros((5, 1))}
    visualization.plot_bounding_box_gallery(
        images, "xyxy", boxes, boxes, legend=True, rows=1, cols=5, path=tmp_path / "b.png"
    )
    visualization.plot_segmentation_mask_gallery(
        images.transpose(0, 3, 1, 2),
        2,
        y_true=np.ones((5, 1, 8, 8)),
        data_format="channels_first",
        path=tmp_path / "c.png",
    )
    assert all((tmp_path / f"{name}.png").stat().st_size > 100 for name in "abc")
    for options in (dict(path="x", show=True), dict(y_true=[1])):
        with pytest.raises(ValueError):
            visualization.plot_image_gallery(images, **options)


def test_a_gallery_has_as_many_rows_as_its_columns_need(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    asked = []
    subplots = pyplot.subplots
    monkeypatch.setattr(
        pyplot,
        "subplots",
        lambda rows, cols, **options: asked.append((rows, cols)) or subplots(rows, cols, **options),
    )
    for options in ({}, dict(cols=4), dict(rows=1), dict(cols=5)):
        visualization.plot_image_gallery(np.zeros((5, 8, 8, 3)), show=False, **options)
    assert asked == [(3, 2), (2, 4), (1, 5), (1, 5)]
