"""Small models of language for the tests, of all kinds."""

import jkeras
from jkeras import generation, layers

VOCABULARY, WIDTH = 23, 16


class Block(layers.Layer):
    """A block of a user's own, each of whose positions looks at those before by attention alone."""

    supports_cache = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.attend = layers.MultiHeadAttention(2, 8)
        self.dense = layers.Dense(WIDTH, "tanh")
        self.norm = layers.LayerNormalization()

    def call(self, x):
        y = self.norm(x)
        return x + self.dense(self.attend(y, y, use_causal_mask=True))


class OwnPositions(layers.Layer):
    """A layer of a user's own that asks for positions."""

    supports_cache = True

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.table = layers.Embedding(64, WIDTH)

    def call(self, x):
        return x + self.table(generation.positions(x))


def ends(tokens, x):
    return jkeras.Model(tokens, layers.Dense(VOCABULARY, kernel_initializer="random_normal")(x))


def begin(length=None):
    tokens = jkeras.Input((length,), dtype="int32")
    return tokens, layers.Embedding(VOCABULARY, WIDTH, embeddings_initializer="normal")(tokens)


def grouped():
    """Grouped heads that look back in a window, in a functional model with operations."""
    tokens, x = begin()
    x = x + layers.PositionEmbedding(64)(x)
    for _ in range(2):
        y = layers.RMSNormalization()(x)
        attend = layers.GroupQueryAttention(8, 4, 2, sliding_window=6)
        x = x + attend(y, y, use_causal_mask=True)
        x = layers.Add()([x, layers.Dense(WIDTH, "gelu")(layers.LayerNormalization()(x))])
    return ends(tokens, x)


def stacked(remat=False):
    tokens, x = begin()
    return ends(tokens, layers.Stack(Block(), 3, remat=remat)(OwnPositions()(x)))


def remat():
    return stacked(remat=True)


def recurrent():
    """Without attention: each token takes a pass over the text."""
    tokens, x = begin()
    return ends(tokens, layers.LSTM(WIDTH, return_sequences=True)(x))


def fixed():
    """With inputs of one length, as many programs have them."""
    tokens, x = begin(40)
    return ends(tokens, OwnPositions()(Block()(x)))


CACHED = {"grouped": grouped, "stacked": stacked, "remat": remat}
UNCACHED = {"recurrent": recurrent, "fixed": fixed}


def made(name):
    jkeras.utils.set_random_seed(0)
    return (CACHED | UNCACHED)[name]()
