"""Which words of a sentence a classifier goes by: integrated gradients at its embedding.

The sentences are put together by the program, and a word such as "not" or "hardly" turns them
around. So it is known which words count: the one that judges, and the one that turns it. Token
numbers have no gradient; the layer that makes vectors of them does: `at="words"`. Run it with
`python examples/explain_text.py`.
"""

import numpy as np

import jkeras
from jkeras import explain, layers

GOOD = ["good", "moving", "clever", "charming", "bright", "fresh", "gripping", "funny", "superb"]
BAD = ["bad", "dull", "clumsy", "boring", "bleak", "stale", "tedious", "flat", "awful"]
THINGS = ["film", "plot", "acting", "music", "ending", "story", "camera", "cast", "pace"]
LINKS = ["was", "felt", "seemed", "became", "remained"]
PLAIN = ["quite", "very", "really", "rather", "always"]
TURNED = ["not", "never", "hardly", "barely", "nowise"]
ENDS = ["that evening", "when I saw it", "in the end", "to my mind", "after all"]


def sentences(count, seed):
    """So many sentences as lists of words, and for each 1 if it praises, else 0."""
    rng = np.random.default_rng(seed)
    texts, labels = [], []
    for _ in range(count):
        praises, turned = rng.integers(0, 2, 2)
        word = rng.choice(GOOD if praises != turned else BAD)
        how = rng.choice(TURNED if turned else PLAIN)
        text = f"the {rng.choice(THINGS)} {rng.choice(LINKS)} {how} {word} {rng.choice(ENDS)}"
        texts.append(text.split())
        labels.append(praises)
    return texts, np.array(labels)


def make_model(words):
    """Numbers of words to a score."""
    return jkeras.Sequential(
        [
            layers.Embedding(words, 24, mask_zero=True, name="words"),
            layers.Conv1D(48, 3, padding="same", activation="relu"),
            layers.GlobalMaxPooling1D(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )


def main(epochs=10, count=300, picture=None):
    """Prints and returns (accuracy, share of sentences whose two largest attributions are those of
    the word that judges and of the one before it).
    """
    jkeras.utils.set_random_seed(0)
    texts, labels = sentences(2000, seed=0)
    vectorize = layers.TextVectorization(output_sequence_length=10)
    vectorize.adapt([" ".join(words) for words in texts])
    numbers = lambda texts: np.asarray(vectorize([" ".join(words) for words in texts]))  # noqa: E731
    model = make_model(vectorize.vocabulary_size())
    loss = jkeras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(
        jkeras.optimizers.Adam(3e-3), loss, metrics=[jkeras.metrics.BinaryAccuracy(threshold=0.0)]
    )
    model.fit(numbers(texts), labels, epochs=epochs, verbose=0)

    texts, labels = sentences(count, seed=1)
    accuracy = model.evaluate(numbers(texts), labels, verbose=0)[1]
    attributions = explain.integrated_gradients(model, numbers(texts), at="words").sum(-1)
    largest = np.argsort(-np.abs(attributions), axis=1)[:, :2]
    judging = np.array([next(i for i, w in enumerate(t) if w in GOOD + BAD) for t in texts])
    found = (np.sort(largest, 1) == np.stack([judging - 1, judging], 1)).all(1)
    print(f"test accuracy: {accuracy:.4f}; both words that decide are found in {found.mean():.2f}")
    for words, scores in zip(texts[:4], attributions):
        print(" ".join(f"{word}({score:+.1f})" for word, score in zip(words, scores)))
    if picture:
        explain.show(texts[0], attributions[0, : len(texts[0])], "text").savefig(picture)
    return accuracy, float(found.mean())


if __name__ == "__main__":
    main()
