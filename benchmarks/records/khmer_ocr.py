"""khmer-ocr-ocm reads lines of Khmer: convolutions, two bidirectional LSTMs and CTC.

The net is torch's; here it is built of layers, and its numbers are set. Ten texts (the name and the
motto of the country, places, digits, words of everyday) are drawn in the five fonts of the package
by its own code (for which Pillow needs raqm) and read by the greedy search of CTC. Its authors
publish no rate of errors.
"""

import numpy as np

from benchmarks.records.record import Record, Row, edits, exported, importable, largest_difference

PACKAGE = "khmer-ocr-ocm==0.1.0"
HEIGHT, WIDTH, UNITS, CLASSES = 48, 512, 256, 984
BLOCKS = (((64,), 2), ((128,), 2), ((256, 256), (2, 1)), ((512, 512), (2, 1)))  # filters, maxima
TEXTS = (
    "ព្រះរាជាណាចក្រកម្ពុជា",
    "សួស្ដី",
    "ជាតិ សាសនា ព្រះមហាក្សត្រ",
    "ភាសាខ្មែរ",
    "រាជធានីភ្នំពេញ",
    "ខ្ញុំស្រឡាញ់ប្រទេសកម្ពុជា",
    "ប្រាសាទអង្គរវត្ត",
    "សាលារៀន",
    "០១២៣៤៥៦៧៨៩",
    "មនុស្សទាំងអស់កើតមកមានសេរីភាពនិងសមភាព",
)


def convolved(layers, x, filters: int, window: int = 3, padding: str = "same"):
    """A convolution, normalized."""
    x = layers.Conv2D(filters, window, padding=padding)(x)
    return layers.ReLU()(layers.BatchNormalization(epsilon=1e-5)(x))


def net(library):
    """Lines (n, HEIGHT, WIDTH, 1) from -1 to 1 → logits (n, steps, CLASSES)."""
    layers = library.layers
    line = library.Input((HEIGHT, WIDTH, 1))
    x = line
    for filters, pool in BLOCKS:
        for count in filters:
            x = convolved(layers, x, count)
        x = layers.MaxPooling2D(pool)(x)
    x = library.ops.mean(convolved(layers, x, 512, 2, "valid"), axis=1)
    for _ in range(2):
        x = layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True))(x)
    return library.Model(line, layers.Dense(CLASSES)(x))


def weights(model) -> list[np.ndarray]:
    """Of torch's net, as `set_weights` takes them."""
    found = {name: value.numpy() for name, value in model.state_dict().items()}
    kernels = [name for name, value in found.items() if name.startswith("cnn") and value.ndim == 4]
    of_net = []
    for name in kernels:
        layer = int(name.split(".")[1])
        normal = [found[f"cnn.{layer + 1}.{of}"] for of in ("weight", "bias")]
        moments = [found[f"cnn.{layer + 1}.running_{of}"] for of in ("mean", "var")]
        of_net += [found[name].transpose(2, 3, 1, 0), found[f"cnn.{layer}.bias"]]
        of_net += [*normal, *moments]
    for which in ("l0", "l0_reverse", "l1", "l1_reverse"):
        of_net += [found[f"rnn.weight_{of}_{which}"].T for of in ("ih", "hh")]
        of_net.append(found[f"rnn.bias_ih_{which}"] + found[f"rnn.bias_hh_{which}"])
    return [*of_net, found["fc.weight"].T, found["fc.bias"]]


def lines() -> tuple[np.ndarray, list[str]]:
    """(lines (n, HEIGHT, WIDTH, 1), what each says): each text in each font."""
    from khmer_ocr_ocm.assets import get_khmer_font_paths
    from khmer_ocr_ocm.dataset import render_line
    from khmer_ocr_ocm.inference import preprocess

    fonts = sorted(get_khmer_font_paths())
    images = [preprocess(render_line(text, font)) for font in fonts for text in TEXTS]
    return np.concatenate(images).transpose(0, 2, 3, 1), [*TEXTS] * len(fonts)


def in_torch(model, x: np.ndarray) -> np.ndarray:
    """Logits (n, steps, CLASSES)."""
    import torch

    with torch.no_grad():
        return model(torch.tensor(x).permute(0, 3, 1, 2)).permute(1, 0, 2).numpy()


def read(logits: np.ndarray, letters: dict[int, str]) -> list[str]:
    """By the likeliest class of each step."""
    import jkeras

    steps = np.full(len(logits), logits.shape[1])
    (codes,), _ = jkeras.ops.ctc_decode(logits, steps, mask_index=0)
    return ["".join(letters[code] for code in line if code > 0) for line in codes.tolist()]


def losses(logits: np.ndarray, texts: list[str], letters: dict[int, str]) -> list[np.ndarray]:
    """CTC's loss of each line: jkeras's and torch's."""
    import torch

    import jkeras

    codes = {letter: code for code, letter in letters.items()}
    lengths = np.array([len(text) for text in texts])
    padded = np.zeros((len(texts), lengths.max()), "int32")
    for row, text in zip(padded, texts):
        row[: len(text)] = [codes[letter] for letter in text]
    steps = np.full(len(texts), logits.shape[1])
    ours = jkeras.ops.ctc_loss(padded, logits, lengths, steps, mask_index=0)
    chances = torch.tensor(logits).log_softmax(-1).permute(1, 0, 2)
    given = [torch.tensor(array) for array in (padded, steps, lengths)]
    theirs = torch.nn.functional.ctc_loss(chances, *given, reduction="none")
    return [np.asarray(ours), theirs.numpy()]


def measure() -> list[Row]:
    importable(PACKAGE)
    from khmer_ocr_ocm.inference import ctc_greedy_decode, load_model, load_vocab

    import jkeras

    in_package, letters = load_model(device="cpu"), load_vocab()
    model, (x, texts) = net(jkeras), lines()
    model.set_weights(weights(in_package))
    logits, of_torch = model.predict(x, batch_size=len(x), verbose=0), in_torch(in_package, x)
    said = read(logits, letters)
    theirs = ctc_greedy_decode(in_package.fc.weight.new_tensor(of_torch.swapaxes(0, 1)), letters)
    wrong = 100 * sum(map(edits, said, texts)) / sum(map(len, texts))
    same = sum(one == other for one, other in zip(said, theirs))
    return [
        Row("letters that are wrong, %", wrong, most=2.5),
        Row(f"lines of {len(texts)} read as by torch", same, least=len(texts)),
        Row(
            "largest difference from torch, of logits",
            largest_difference(logits, of_torch),
            most=1e-3,
        ),
        Row(
            "largest difference of CTC's losses from torch",
            largest_difference(*losses(logits, texts, letters)),
            most=1e-3,
        ),
        *exported(model, x[:4], most=1e-3),
    ]


RECORD = Record(
    group="nets",
    title="khmer-ocr-ocm: lines of Khmer",
    about="Convolutions, two bidirectional LSTMs and CTC read ten texts in five fonts, as torch "
    "does.",
    packages=(PACKAGE,),
    licence="MIT; the fonts have their own",
    source="none: the package publishes no rate of errors",
    measure=measure,
    needs=("torch", "PIL", "jax2onnx", "onnxruntime"),
)
