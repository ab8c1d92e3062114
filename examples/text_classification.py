"""Text classification from raw strings: a model that takes sentences and says whether they praise.

`TextVectorization` learns its vocabulary with `adapt`. Strings cannot go into a compiled step, so
they are numbers while the model is trained; in front of the trained model it makes one that takes
strings. The sentences are put
together by the program, and a word such as "not" or "hardly" turns them around: who only counts
words (the baseline) cannot tell. Run it with `python examples/text_classification.py`.
"""

import numpy as np

import jkeras
from jkeras import layers

THINGS = [
    "film",
    "plot",
    "acting",
    "music",
    "ending",
    "story",
    "camera",
    "cast",
    "dialogue",
    "pace",
]
GOOD = [
    "good",
    "moving",
    "clever",
    "charming",
    "bright",
    "fresh",
    "gripping",
    "funny",
    "warm",
    "superb",
]
BAD = ["bad", "dull", "clumsy", "boring", "bleak", "stale", "tedious", "flat", "cold", "awful"]
LINKS = ["was", "felt", "seemed", "turned out", "remained"]
PLAIN = ["quite", "very", "really", "rather", "always"]
TURNED = ["not", "never", "hardly", "by no means", "anything but"]


def sentences(count, seed):
    """So many sentences, and for each 1 if it praises, else 0."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        praises, turned, extra = rng.integers(0, 2, 3)
        word = rng.choice(GOOD if praises != turned else BAD)
        thing, link = rng.choice(THINGS), rng.choice(LINKS)
        text = f"The {thing} {link} {rng.choice(TURNED if turned else PLAIN)} {word}"
        if extra:
            others = f"{rng.choice(THINGS)} and {rng.choice(THINGS)}"
            text += f", and I say that after {others} had me waiting"
        texts.append(text + rng.choice([".", "!", "..."]))
        labels.append(praises)
    return np.array(texts), np.array(labels)


def word_counts():
    """The baseline: which words occur, and a linear model of them."""
    return layers.TextVectorization(output_mode="multi_hot"), lambda words: [
        layers.Dense(1, activation="sigmoid")
    ]


def convolutions():
    """The numbers of the words in their order, and a network that looks at three at a time."""
    return layers.TextVectorization(output_sequence_length=20), lambda words: [
        layers.Embedding(words, 24),
        layers.Conv1D(48, 3, padding="same", activation="relu"),
        layers.GlobalMaxPooling1D(),
        layers.Dropout(0.2),
        layers.Dense(1, activation="sigmoid"),
    ]


def train(parts, texts, labels, epochs):
    """A model of strings."""
    vectorize, network = parts
    vectorize.adapt(texts)
    model = jkeras.Sequential(network(vectorize.vocabulary_size()))
    model.compile(jkeras.optimizers.Adam(5e-3), "binary_crossentropy")
    model.fit(vectorize(texts), labels, epochs=epochs, verbose=0)
    return jkeras.Sequential([jkeras.Input((), dtype="string"), vectorize, model])


def main(count=2000, epochs=12):
    """Trains both; prints and returns their accuracies on sentences that are new."""
    jkeras.utils.set_random_seed(0)
    (texts, labels), (new_texts, new_labels) = sentences(count, 0), sentences(1000, 1)
    accuracies = {}
    for parts in (word_counts, convolutions):
        model = train(parts(), texts, labels, epochs)
        praises = model.predict(new_texts, verbose=0)[:, 0] > 0.5
        accuracies[parts.__name__] = float(np.mean(praises == new_labels))
    asked = ["The story was hardly gripping.", "The cast felt anything but dull!"]
    for text, praise in zip(asked, model.predict(np.array(asked), verbose=0)[:, 0]):
        print(f"{praise:.3f}  {text}")
    print(
        ", ".join(f"{name}: test accuracy {accuracy:.4f}" for name, accuracy in accuracies.items())
    )
    return accuracies


if __name__ == "__main__":
    main()
