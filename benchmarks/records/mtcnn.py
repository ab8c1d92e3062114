"""MTCNN finds faces by three nets, one behind the other (Zhang et al. 2016).

P-net looks at squares of 12 pixels in a pyramid of scales of the picture, R-net at what it proposes
and O-net at what R-net keeps; it says where eyes, nose and mouth are too. The weights are those of
the package mtcnn, made for Keras; facenet-pytorch has the same nets for torch. The picture is
scikit-image's of Eileen Collins, in which its own detector, a cascade of local binary patterns that
comes from OpenCV, finds the face with the arguments of its example; and its 200 patches of Labeled
Faces in the Wild, of which half are faces.
"""

import dataclasses

import numpy as np

from benchmarks.records.record import Record, Row, exported, files_of, largest_difference

PACKAGE, IN_TORCH = "mtcnn==1.0.0", "facenet-pytorch==2.6.0"
LEAST_FACE, SCALE_STEP = 20, 0.709  # pixels; between the scales of the pyramid
CELL, STRIDE = 12, 2  # pixels that P-net looks at, and from one place to the next
THRESHOLDS = {"pnet": 0.6, "rnet": 0.7, "onet": 0.8}


@dataclasses.dataclass(frozen=True)
class Net:
    """What a net is made of.

    Attributes:
        side: of what it looks at; None: any, and it is a convolution to its end.
        blocks: (filters, window, (window of the maximum, padding) or None) of each convolution.
        units: of the layer between the convolutions and the outputs.
        outputs: how many numbers each says: of the box, of the marks, of face or not.
    """

    side: int | None
    blocks: tuple
    units: int | None
    outputs: tuple[int, ...]


HALF, THIRD = (2, "same"), (3, "same")
NETS = {
    "pnet": Net(None, ((10, 3, HALF), (16, 3, None), (32, 3, None)), None, (4, 2)),
    "rnet": Net(24, ((28, 3, THIRD), (48, 3, (3, "valid")), (64, 2, None)), 128, (4, 2)),
    "onet": Net(
        48,
        ((32, 3, THIRD), (64, 3, (3, "valid")), (64, 3, HALF), (128, 2, None)),
        256,
        (4, 10, 2),
    ),
}


def untrained(library, net: Net):
    """Images (n, height, width, 3) from -1 to 1 → what its outputs say."""
    layers = library.layers
    image = library.Input((net.side, net.side, 3))
    x = image
    for filters, window, pool in net.blocks:
        x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(filters, window)(x))
        x = layers.MaxPooling2D(pool[0], 2, pool[1])(x) if pool else x
    if net.units:
        x = layers.Flatten()(layers.Permute((2, 1, 3))(x))
        x = layers.PReLU()(layers.Dense(net.units)(x))
    kinds = (None,) * (len(net.outputs) - 1) + ("softmax",)
    last = layers.Dense if net.units else lambda count, **kind: layers.Conv2D(count, 1, **kind)
    outputs = [last(count, activation=kind)(x) for count, kind in zip(net.outputs, kinds)]
    return library.Model(image, outputs)


def nets(library) -> dict:
    """The three by name, with their weights."""
    import joblib

    folder = files_of(PACKAGE) / "mtcnn" / "assets" / "weights"
    found = {name: untrained(library, net) for name, net in NETS.items()}
    for name, model in found.items():
        model.set_weights(joblib.load(folder / f"{name}.lz4"))
    return found


def in_torch(name: str, x: np.ndarray) -> list[np.ndarray]:
    """What facenet-pytorch's net says."""
    import torch
    from torch.nn import functional

    path = files_of(IN_TORCH) / "facenet_pytorch" / "data" / f"{name}.pt"
    found, net = torch.load(path, weights_only=True), NETS[name]
    layer = lambda key: (found[f"{key}.weight"], found[f"{key}.bias"])  # noqa: E731
    x = torch.tensor(x).permute(0, 3, 1, 2)
    for number, (_, _, pool) in enumerate(net.blocks, 1):
        x = functional.prelu(
            functional.conv2d(x, *layer(f"conv{number}")), found[f"prelu{number}.weight"]
        )
        x = functional.max_pool2d(x, pool[0], 2, ceil_mode=True) if pool else x
    number = len(net.blocks) + 1
    if not net.units:
        heads = [functional.conv2d(x, *layer(f"conv{number}_{n}")) for n in (2, 1)]
        return [head.permute(0, 2, 3, 1).numpy() for head in (heads[0], heads[1].softmax(1))]
    x = functional.linear(x.permute(0, 3, 2, 1).flatten(1), *layer(f"dense{number}"))
    x = functional.prelu(x, found[f"prelu{number}.weight"])
    order = (2, 3, 1) if len(net.outputs) == 3 else (2, 1)
    heads = [functional.linear(x, *layer(f"dense{number + 1}_{n}")) for n in order]
    return [head.numpy() for head in (*heads[:-1], heads[-1].softmax(1))]


def normalized(image: np.ndarray) -> np.ndarray:
    """From -1 to 1, of 0 to 255."""
    return (image.astype("float32") - 127.5) / 128


def patches_of_lfw(side: int) -> np.ndarray:
    """(200, side, side, 3): 100 faces, then 100 that are none."""
    from skimage import data

    from jkeras.ops.image import resize

    grey = normalized(255 * data.lfw_subset())[..., None]
    return np.asarray(resize(np.repeat(grey, 3, -1), (side, side)))


def kept(boxes: np.ndarray, most: float, by_smaller: bool = False) -> np.ndarray:
    """Boxes by falling scores that overlap with none before them by more (non-maximum suppression).

    Args:
        boxes: (n, 5 or more): left, top, right, bottom, score.
        by_smaller: whether overlaps are shares of the smaller box, not of the union.
    """
    from jkeras.utils.bounding_boxes import compute_iou

    boxes = boxes[np.argsort(-boxes[:, 4], kind="stable")]
    overlaps = np.array(compute_iou(boxes[:, :4], boxes[:, :4], "xyxy"))
    if by_smaller:
        areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        both = overlaps / (1 + overlaps) * (areas + areas[:, None])
        overlaps = both / np.minimum(areas, areas[:, None])
    chosen: list[int] = []
    for number in range(len(boxes)):
        if (overlaps[number, chosen] <= most).all():
            chosen.append(number)
    return boxes[chosen]


def squares(boxes: np.ndarray) -> np.ndarray:
    """Around the same centers, with the longer sides."""
    center = (boxes[:, :2] + boxes[:, 2:4]) / 2
    half = (boxes[:, 2:4] - boxes[:, :2]).max(1, keepdims=True) / 2
    return np.concatenate([center - half, center + half, boxes[:, 4:]], 1)


def proposed(model, image: np.ndarray, scale: float) -> np.ndarray:
    """(n, 5): boxes and scores of one scale."""
    from jkeras.ops.image import resize

    size = [round(length * scale) for length in image.shape[:2]]
    small = resize(image, size, antialias=True)
    offsets, faces = model.predict(np.asarray(small)[None], verbose=0)
    places = np.argwhere(faces[0, ..., 1] > THRESHOLDS["pnet"])
    top_left = (STRIDE * places[:, ::-1] + 1) / scale
    corners = np.concatenate([top_left, top_left + (CELL - 1) / scale], 1)
    rows, columns = places.T
    moved = corners + offsets[0, rows, columns] * (CELL - 1) / scale
    return np.concatenate([moved, faces[0, rows, columns, 1:]], 1)


def pieces(image: np.ndarray, boxes: np.ndarray, side: int) -> np.ndarray:
    """(boxes, side, side, 3): what is in each, zeros outside of the picture."""
    from jkeras.ops.image import map_coordinates

    steps = np.linspace(0, 1, side)
    x, y = ((boxes[:, n, None] + steps * (boxes[:, n + 2] - boxes[:, n])[:, None]) for n in (0, 1))
    places = np.broadcast_arrays(y[:, :, None, None], x[:, None, :, None], np.arange(3.0))
    return np.asarray(map_coordinates(image, np.stack(places), order=1))


def refined(models, name: str, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Those that a net keeps, moved; of O-net with x of five marks and y of them behind."""
    x = pieces(image, boxes, NETS[name].side).astype("float32")
    offsets, *marks, faces = models[name].predict(x, batch_size=len(x), verbose=0)
    sizes = boxes[:, 2:4] - boxes[:, :2] + 1
    moved = boxes[:, :4] + offsets * np.tile(sizes, 2)
    marks = [boxes[:, :2].repeat(5, 1) + of * sizes.repeat(5, 1) - 1 for of in marks]
    found = np.concatenate([moved, faces[:, 1:], *marks], 1)
    return found[found[:, 4] > THRESHOLDS[name]]


def faces_in(models, picture: np.ndarray) -> np.ndarray:
    """(faces, 15): left, top, right, bottom, score, x of five marks, y of five marks."""
    image = normalized(picture)
    largest = CELL / LEAST_FACE
    count = 1 + int(np.log(CELL / (largest * min(image.shape[:2]))) / np.log(SCALE_STEP))
    scales = largest * SCALE_STEP ** np.arange(count)
    each = [proposed(models["pnet"], image, scale) for scale in scales]
    boxes = kept(np.concatenate([kept(of_scale, 0.5) for of_scale in each]), 0.7)
    boxes = kept(refined(models, "rnet", image, squares(boxes)), 0.7)
    return kept(refined(models, "onet", image, squares(boxes)), 0.7, by_smaller=True)


def true_box() -> np.ndarray:
    """(4,): left, top, right, bottom of the astronaut's face, by local binary patterns."""
    from skimage import data
    from skimage.feature import Cascade

    (found,) = Cascade(data.lbp_frontal_face_cascade_filename()).detect_multi_scale(
        data.astronaut(), scale_factor=1.2, step_ratio=1, min_size=(60, 60), max_size=(123, 123)
    )
    left, top = found["c"], found["r"]
    return np.array([left, top, left + found["width"], top + found["height"]], "float32")


def measure() -> list[Row]:
    import keras
    from skimage import data

    import jkeras
    from jkeras.utils.bounding_boxes import compute_iou

    models, of_keras = nets(jkeras), nets(keras)
    faces = faces_in(models, data.astronaut())
    x = {name: patches_of_lfw(net.side) for name, net in NETS.items() if net.side}
    x["pnet"] = normalized(data.astronaut())[None, 50:201, 150:301]  # of odd sides
    said = {name: model.predict(x[name], verbose=0) for name, model in models.items()}
    theirs = {name: model.predict(x[name], verbose=0) for name, model in of_keras.items()}
    torchs = {name: in_torch(name, x[name]) for name in models}
    is_face = np.arange(len(x["rnet"])) < 100
    right = {name: ((said[name][-1][:, 1] > 0.5) == is_face).sum() for name in ("rnet", "onet")}
    overlap = compute_iou(faces[:1, :4], true_box()[None], "xyxy")[0, 0]
    return [
        Row("faces found in the picture of the astronaut, of 1", len(faces), least=1, most=1),
        Row("its overlap with what local binary patterns find", overlap, least=0.5),
        Row("its score", faces[0, 4], least=0.99),
        *(
            Row(f"{name}: patches of LFW told right, of {len(is_face)}", count, least=198)
            for name, count in right.items()
        ),
        Row("largest difference from Keras", largest_difference(said, theirs), most=5e-6),
        Row(
            "largest difference from facenet-pytorch's nets",
            largest_difference(said, torchs),
            most=5e-6,
        ),
        *(
            dataclasses.replace(row, what=f"{name}: {row.what}")
            for name, model in models.items()
            for row in exported(model, x[name], most=1e-5)
        ),
    ]


RECORD = Record(
    group="nets",
    title="MTCNN: faces by three nets",
    about="Three nets, one behind the other, find the one face of scikit-image's picture of an "
    "astronaut, and tell 100 faces from 100 patches of background; they are those of torch.",
    packages=(PACKAGE, IN_TORCH),
    licence="MIT (both packages)",
    source="Zhang et al., IEEE Signal Processing Letters 2016 (the method); scikit-image's example "
    "of face detection by a cascade (where the face is)",
    measure=measure,
    needs=("keras", "torch", "skimage", "joblib", "lz4", "jax2onnx", "onnxruntime"),
)
