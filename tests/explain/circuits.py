"""An attention-only transformer with an induction head that is built by hand."""

import numpy as np

import jkeras
from jkeras import layers

VOCABULARY, LENGTH, HEADS = 12, 10, 2
SIZE = VOCABULARY  # of a head
# the residual stream: the token, the position, the token before, what comes next
TOKEN = slice(0, VOCABULARY)
POSITION = slice(VOCABULARY, VOCABULARY + LENGTH)
BEFORE = slice(VOCABULARY + LENGTH, 2 * VOCABULARY + LENGTH)
NEXT = slice(2 * VOCABULARY + LENGTH, 3 * VOCABULARY + LENGTH)
WIDTH = 3 * VOCABULARY + LENGTH


class Embedded(layers.Layer):
    """Tokens and positions, each one of many."""

    def call(self, tokens):
        words = jkeras.ops.one_hot(tokens, VOCABULARY)
        places = jkeras.ops.broadcast_to(
            jkeras.ops.eye(LENGTH)[: tokens.shape[1]], (*words.shape[:2], LENGTH)
        )
        rest = jkeras.ops.zeros((*words.shape[:2], WIDTH - VOCABULARY - LENGTH))
        return jkeras.ops.concatenate([words, places, rest], axis=-1)


def induction_model():
    """Says for each token what came behind it before: head 0 of block 0 copies the token before,
    head 1 of block 1 looks for it.
    """
    tokens = jkeras.Input((LENGTH,), dtype="int32")
    h = Embedded(name="words")(tokens)
    for i in range(2):
        mha = layers.MultiHeadAttention(HEADS, SIZE, use_bias=False, name=f"mha_{i}")
        h = layers.Add(name=f"block_{i}")([h, mha(h, h, use_causal_mask=True)])
    logits = layers.Dense(VOCABULARY, use_bias=False, name="head")(h)
    model = jkeras.Model(tokens, logits)
    for i in range(2):
        for name in ("query", "key", "value", "attention_output"):
            weight = getattr(model.get_layer(f"mha_{i}"), f"_{name.split('_')[-1]}_dense").kernel
            weight.assign(np.zeros(weight.shape))
    _set(model.get_layer("mha_0"), 0, _shift(), (TOKEN, BEFORE))
    matching = np.zeros((WIDTH, SIZE)), np.zeros((WIDTH, SIZE))
    matching[0][TOKEN] = matching[1][BEFORE] = 10 * np.eye(VOCABULARY)
    _set(model.get_layer("mha_1"), 1, matching, (TOKEN, NEXT))
    head = np.zeros((WIDTH, VOCABULARY))
    head[NEXT] = 5 * np.eye(VOCABULARY)
    model.get_layer("head").kernel.assign(head)
    return model


def _shift():
    """Queries and keys of a head that looks at the position before."""
    query, key = np.zeros((WIDTH, SIZE)), np.zeros((WIDTH, SIZE))
    for i in range(LENGTH):
        key[POSITION.start + i, i] = 10
        query[POSITION.start + i, max(i - 1, 0)] = 10
    return query, key


def _set(mha, head, query_and_key, moved):
    source, target = moved
    value, output = np.zeros((WIDTH, SIZE)), np.zeros((SIZE, WIDTH))
    value[source] = np.eye(VOCABULARY)
    output[:, target] = np.eye(VOCABULARY)
    parts = zip(("query", "key", "value"), (*query_and_key, value))
    for name, kernel in parts:
        weight = getattr(mha, f"_{name}_dense").kernel
        whole = np.array(weight.numpy())
        whole[:, head] = kernel
        weight.assign(whole)
    whole = np.array(mha._output_dense.kernel.numpy())
    whole[head] = output
    mha._output_dense.kernel.assign(whole)


def prompts():
    """(texts that repeat themselves, the same in which the last token is new, what comes next)."""
    first = np.array([[1, 2, 3, 4, 5], [7, 3, 9, 0, 2], [11, 10, 6, 5, 4]])
    clean = np.concatenate([first, first], axis=1)
    corrupted = clean.copy()
    corrupted[:, 4] = 8  # so that the last token was nowhere before
    return clean, corrupted, clean[:, 0]


class Attention(layers.Layer):
    """Attention as keras-hub writes it: dense layers, and operations in its own `call`."""

    def build(self, shape):
        for name in ("query", "key", "value"):
            dense = layers.EinsumDense("btd,dnh->btnh", (None, HEADS, SIZE), name=name)
            setattr(self, name, dense)
            dense.build(shape)
        self.attention_output = layers.EinsumDense("btnh,nhd->btd", (None, WIDTH))
        self.attention_output.build((*shape[:2], HEADS, SIZE))

    def call(self, x):
        ops = jkeras.ops
        scores = ops.einsum("btnh,bsnh->bnts", self.query(x), self.key(x)) / SIZE**0.5
        is_past = ops.tril(ops.ones((x.shape[1], x.shape[1]), "bool"))
        weights = ops.softmax(ops.where(is_past, scores, -1e9))
        return self.attention_output(ops.einsum("bnts,bsnh->btnh", weights, self.value(x)))


def with_attention_of_operations(model):
    """The same model with `Attention` in place of `MultiHeadAttention`."""
    tokens = jkeras.Input((LENGTH,), dtype="int32")
    h = Embedded(name="words")(tokens)
    for i in range(2):
        attention = Attention(name=f"attention_{i}")
        h = layers.Add(name=f"block_{i}")([h, attention(h)])
        theirs = model.get_layer(f"mha_{i}")
        for name in ("query", "key", "value", "attention_output"):
            weight = getattr(theirs, f"_{name.split('_')[-1]}_dense").kernel
            getattr(attention, name).kernel.assign(weight)
    head = layers.Dense(VOCABULARY, use_bias=False, name="head")
    again = jkeras.Model(tokens, head(h))
    head.kernel.assign(model.get_layer("head").kernel)
    return again
