"""Attention layers, run by both libraries."""

from tests.parity.case import Case

HEADS = dict(num_heads=2, key_dim=3)
GROUPS = dict(head_dim=3, num_query_heads=4, num_key_value_heads=2)
PAIR = [(2, 4, 6), (2, 5, 6)]
IMAGES = [(2, 3, 4, 5), (2, 3, 4, 5)]

CASES = [
    Case("MultiHeadAttention", HEADS, inputs=PAIR),
    Case(
        "MultiHeadAttention",
        HEADS,
        inputs=[(2, 4, 6), (2, 5, 3), (2, 5, 4)],
        call=dict(return_attention_scores=True),
    ),
    Case("MultiHeadAttention", HEADS, inputs=PAIR, call=dict(use_causal_mask=True)),
    Case(
        "MultiHeadAttention",
        HEADS,
        inputs=PAIR,
        call=dict(use_causal_mask=True, return_attention_scores=True),
    ),
    Case(
        "MultiHeadAttention",
        dict(**HEADS, value_dim=4, use_gate=True),
        inputs=PAIR,
        call=dict(return_attention_scores=True),
    ),
    Case("MultiHeadAttention", dict(**HEADS, output_shape=(2, 5), use_bias=False), inputs=PAIR),
    Case(
        "MultiHeadAttention",
        dict(**HEADS, sliding_window=2),
        inputs=PAIR,
        call=dict(use_causal_mask=True),
    ),
    Case("MultiHeadAttention", dict(**HEADS, dropout=0.3), inputs=PAIR, training=False),
    Case("MultiHeadAttention", HEADS, inputs=IMAGES),
    Case(
        "MultiHeadAttention",
        dict(**HEADS, attention_axes=2),
        inputs=IMAGES,
        call=dict(return_attention_scores=True),
    ),
    Case(
        "MultiHeadAttention",
        dict(**HEADS, kernel_regularizer="l2", activity_regularizer="l1"),
        inputs=PAIR,
    ),
    Case("MultiHeadAttention", dict(**HEADS, dtype="mixed_bfloat16"), inputs=PAIR),
    Case("GroupQueryAttention", GROUPS, inputs=PAIR),
    Case(
        "GroupQueryAttention",
        GROUPS,
        inputs=PAIR,
        call=dict(use_causal_mask=True, return_attention_scores=True),
    ),
    Case("GroupQueryAttention", dict(**GROUPS, use_gate=True, sliding_window=2), inputs=PAIR),
    Case(
        "GroupQueryAttention",
        dict(**GROUPS, dropout=0.3, activity_regularizer="l2"),
        inputs=PAIR,
        training=False,
    ),
]
