"""Lookup, masks, activations, noise at inference, scaling: run by both libraries."""

from tests.parity.case import Case

CASES = [
    Case("Embedding", dict(input_dim=7, output_dim=3), inputs=[(2, 4)], ints=7),
    Case("Embedding", dict(input_dim=7, output_dim=3, mask_zero=True), inputs=[(2, 4)], ints=7),
    Case(
        "Embedding",
        dict(input_dim=7, output_dim=3, embeddings_regularizer="l2", dtype="mixed_bfloat16"),
        inputs=[(2, 4, 2)],
        ints=7,
    ),
    Case(
        "Embedding",
        dict(input_dim=7, output_dim=3, lora_rank=2, lora_alpha=3),
        inputs=[(2, 4)],
        ints=7,
    ),
    Case(
        "ReversibleEmbedding",
        dict(input_dim=7, output_dim=3, mask_zero=True),
        inputs=[(2, 4)],
        ints=7,
    ),
    Case(
        "ReversibleEmbedding",
        dict(input_dim=7, output_dim=3, tie_weights=False, logit_soft_cap=2.0),
        inputs=[(2, 4, 3)],
        call=dict(reverse=True),
    ),
    Case("Masking", dict(mask_value=0.5), inputs=[(2, 4, 3)]),
    Case("Identity", {}, inputs=[(2, 4, 3)]),
    Case("Activation", dict(activation="gelu"), inputs=[(2, 4)]),
    Case("ReLU", dict(max_value=1.0, negative_slope=0.1, threshold=0.2), inputs=[(2, 5)]),
    Case("LeakyReLU", dict(negative_slope=0.1), inputs=[(2, 5)]),
    Case("ELU", dict(alpha=0.3), inputs=[(2, 5)]),
    Case("PReLU", dict(alpha_initializer="ones", shared_axes=(1,)), inputs=[(2, 4, 3)]),
    Case("Softmax", dict(axis=(1, 2)), inputs=[(2, 4, 3)]),
    Case("Dropout", dict(rate=0.4), inputs=[(2, 5)], training=False),
    Case(
        "Dropout",
        dict(rate=0.4, noise_shape=(None, 1, 3), seed=4),
        inputs=[(2, 5, 3)],
        training=True,
    ),
    Case(
        "SpatialDropout2D",
        dict(rate=0.4, data_format="channels_first", seed=4),
        inputs=[(2, 3, 4, 4)],
        training=True,
    ),
    Case("AlphaDropout", dict(rate=0.4, seed=4), inputs=[(2, 5)], training=True),
    Case("GaussianDropout", dict(rate=0.4, seed=4), inputs=[(2, 5)], training=True),
    Case("GaussianNoise", dict(stddev=0.4, seed=4), inputs=[(2, 5)], training=True),
    Case("ActivityRegularization", dict(l1=0.1, l2=0.2), inputs=[(2, 5)]),
    Case("Rescaling", dict(scale=(1.0, 2.0, 3.0), offset=0.5), inputs=[(2, 4, 3)]),
    Case(
        "Normalization", dict(mean=(0.0, 1.0, 2.0), variance=(1.0, 4.0, 0.25)), inputs=[(2, 4, 3)]
    ),
    Case(
        "Normalization", dict(axis=(1, 2), mean=1.0, variance=2.0, invert=True), inputs=[(2, 4, 3)]
    ),
]
