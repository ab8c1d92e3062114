"""Recurrent layers that both libraries compute on the same weights and arrays."""

from tests.parity.case import Case

CASES = [
    Case("SimpleRNN", dict(units=3), inputs=[(2, 4, 5)]),
    Case(
        "SimpleRNN",
        dict(units=3, use_bias=False, activation="relu", return_sequences=True),
        inputs=[(2, 4, 5)],
    ),
    Case("SimpleRNN", dict(units=3, go_backwards=True, return_state=True), inputs=[(2, 4, 5)]),
    Case("SimpleRNN", dict(units=3, unroll=True, dropout=0.3), inputs=[(2, 4, 5)]),
    Case("GRU", dict(units=3), inputs=[(2, 4, 5)]),
    Case("GRU", dict(units=3, reset_after=False, return_sequences=True), inputs=[(2, 4, 5)]),
    Case(
        "GRU",
        dict(units=3, use_bias=False, recurrent_activation="hard_sigmoid"),
        inputs=[(2, 4, 5)],
    ),
    Case(
        "GRU",
        dict(units=3, go_backwards=True, return_sequences=True, return_state=True),
        inputs=[(2, 4, 5)],
    ),
    Case("GRU", dict(units=2, unroll=True), inputs=[(2, 1, 5)]),
    Case(
        "GRU", dict(units=3, dropout=0.2, recurrent_dropout=0.3), inputs=[(2, 4, 5)], training=False
    ),
    Case("LSTM", dict(units=3), inputs=[(2, 4, 5)]),
    Case("LSTM", dict(units=3, return_sequences=True, return_state=True), inputs=[(2, 4, 5)]),
    Case(
        "LSTM",
        dict(units=3, unit_forget_bias=False, activation="relu", use_bias=False),
        inputs=[(2, 4, 5)],
    ),
    Case(
        "LSTM",
        dict(units=3, go_backwards=True, return_sequences=True, unroll=True),
        inputs=[(2, 4, 5)],
    ),
    Case(
        "LSTM",
        dict(units=3, implementation=1, kernel_regularizer="l2", recurrent_constraint="max_norm"),
        inputs=[(2, 4, 5)],
    ),
    Case("LSTM", dict(units=3, stateful=True), inputs=[(2, 4, 5)]),
    # a size that stands for unknown ones
    Case("SimpleRNN", dict(units=1, stateful=True), inputs=[(208, 1, 1)]),
    Case("LSTM", dict(units=4, return_sequences=True), inputs=[(2, 4, 5)], dtype="mixed_bfloat16"),
    Case(
        "ConvLSTM1D",
        dict(filters=2, kernel_size=3, strides=2, padding="same"),
        inputs=[(2, 3, 7, 2)],
    ),
    Case(
        "ConvLSTM2D",
        dict(filters=2, kernel_size=2, return_sequences=True, return_state=True),
        inputs=[(2, 3, 4, 5, 2)],
    ),
    Case(
        "ConvLSTM2D",
        dict(filters=2, kernel_size=2, dilation_rate=2, go_backwards=True),
        inputs=[(2, 3, 5, 5, 2)],
    ),
    Case("ConvLSTM3D", dict(filters=2, kernel_size=2, padding="same"), inputs=[(1, 2, 3, 3, 3, 2)]),
]
