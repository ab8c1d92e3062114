"""Deepcut finds where the words of Thai begin, which is written without spaces.

For each letter the net sees 21, the letter among them, and the kinds of them: an embedding of each,
twelve 1-D convolutions of windows of 1 to 12 letters whose maximum is taken, two dense layers. Its
weights are a file of Keras 2.0.2, which says nothing of the layers. The texts are those that its
authors show the words of, in READMEs and docstrings; the corpus BEST, on which its accuracy
is published, is not in a package.
"""

import runpy

import numpy as np

from benchmarks.records.record import Record, Row, exported, files_of, largest_difference

PACKAGE = "deepcut==0.7.0"
LETTERS, LETTER_KINDS, AROUND = 178, 12, 10
FILTERS = [200] * 8 + [150] * 3 + [100]  # of windows of 1, 2, … 12 letters
PARAMETERS = 535_025
WORDS = (
    ("ตัด", "คำ", "ได้", "ดี", "มาก"),
    ("ฉัน", "บิน", "ได้"),
    ("ฉัน", "กิน", "ข้าว"),
    ("ฉัน", "อยาก", "บิน"),
    ("ฉัน", "อยาก", "กิน", "ข้าว", "ของ", "ฉัน"),
    ("ฉัน", "อยาก", "กิน", "ไก่"),  # of which the net makes one word of the last two, also in Keras
    ("อยาก", "นอน", "อย่าง", "สงบ"),
)


def windowed(layers, x, filters: int, window: int):
    """(n, letters, 5): what a convolution of windows says of each letter."""
    x = layers.Conv1D(filters, window, activation="relu")(x)
    return layers.ZeroPadding1D((0, window - 1))(layers.TimeDistributed(layers.Dense(5))(x))


def net(library):
    """(letters (n, 21), kinds of them (n, 21)) → the probability that a word begins (n, 1)."""
    layers = library.layers
    letters, kinds = (library.Input((2 * AROUND + 1,)) for _ in range(2))
    x = layers.SpatialDropout1D(0.15)(layers.Embedding(LETTERS, 32)(letters))
    x = layers.BatchNormalization()(x)
    windows = [windowed(layers, x, filters, n + 1) for n, filters in enumerate(FILTERS)]
    of_kinds = layers.SpatialDropout1D(0.15)(layers.Embedding(LETTER_KINDS, 12)(kinds))
    x = layers.Concatenate()([x, layers.Maximum()(windows), of_kinds])
    x = layers.Dense(100, activation="relu")(layers.Flatten()(layers.BatchNormalization()(x)))
    return library.Model([letters, kinds], layers.Dense(1, activation="sigmoid")(x))


def loaded(library):
    """The net with its weights."""
    model = net(library)
    model.load_weights(files_of(PACKAGE) / "deepcut" / "weight" / "cnn_without_ne_ab.h5")
    return model


def features() -> list[np.ndarray]:
    """[letters (n, 21), kinds of them (n, 21)] of all texts, as the package makes them."""
    module = runpy.run_path(str(files_of(PACKAGE) / "deepcut" / "utils.py"))
    of_texts = [module["create_feature_array"]("".join(words)) for words in WORDS]
    return [np.concatenate(arrays).astype("float32") for arrays in zip(*of_texts)]


def beginnings() -> np.ndarray:
    """(n,): whether each letter of all texts begins a word."""
    return np.concatenate([np.arange(len(word)) == 0 for words in WORDS for word in words])


def measure() -> list[Row]:
    import keras

    import jkeras

    model, x, true = loaded(jkeras), features(), beginnings()
    said = model.predict(x, verbose=0)
    found = said[:, 0] > 0.5
    difference = largest_difference(said, loaded(keras).predict(x, verbose=0))
    return [
        Row("parameters", model.count_params(), least=PARAMETERS, most=PARAMETERS),
        Row(
            f"beginnings of words that are found, of {true.sum()}",
            (found & true).sum(),
            "98.5 % of BEST, which is not in a package",
            least=27,
        ),
        Row("letters that begin none and are found", (found & ~true).sum(), most=0),
        Row("largest difference from Keras", difference, most=2e-6),
        *exported(model, x, most=1e-5),
    ]


RECORD = Record(
    group="nets",
    title="Deepcut: words of Thai",
    about="A net of twelve 1-D convolutions, whose weights are a file of Keras 2.0.2, splits the "
    "texts that its authors show.",
    packages=(PACKAGE,),
    licence="MIT",
    source="the READMEs of Deepcut 0.5 and 0.7 and its docstrings; Kittinaradorn et al., Zenodo "
    "3457707",
    measure=measure,
    needs=("keras", "jax2onnx", "onnxruntime"),
)
