# A model that begins with texts and was called on them: `save` said that it had no weights.
import warnings

import numpy as np

import jkeras

words = jkeras.layers.TextVectorization(max_tokens=9, output_sequence_length=2)
words.adapt(["the cat", "a dog"])
model = jkeras.Sequential([words, jkeras.layers.Embedding(9, 3)])
outputs = model(np.array([["the dog"]], dtype=object))
with warnings.catch_warnings():
    warnings.simplefilter("error")
    model.save("texts.keras")
assert model.built and outputs.shape == (1, 2, 3)
