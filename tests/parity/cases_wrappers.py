"""Wrappers, cells and layers made of cells, run by both libraries."""

from tests.parity.case import Case, Part

LSTM = Part("LSTM", dict(units=3, return_sequences=True))
MASK = [[True, True, False, False], [True, True, True, False]]

CASES = [
    Case("SimpleRNNCell", dict(units=3), inputs=[(2, 4), (2, 3)]),
    Case("GRUCell", dict(units=3, reset_after=False), inputs=[(2, 4), (2, 3)]),
    Case("LSTMCell", dict(units=3), inputs=[(2, 4), [(2, 3), (2, 3)]]),
    Case(
        "StackedRNNCells",
        dict(cells=[Part("LSTMCell", dict(units=3)), Part("GRUCell", dict(units=2))]),
        inputs=[(2, 4), [[(2, 3), (2, 3)], [(2, 2)]]],
    ),
    Case("RNN", dict(cell=Part("GRUCell", dict(units=3)), return_state=True), inputs=[(2, 4, 5)]),
    Case(
        "RNN",
        dict(
            cell=[Part("LSTMCell", dict(units=3)), Part("SimpleRNNCell", dict(units=2))],
            return_sequences=True,
            return_state=True,
        ),
        inputs=[(2, 4, 5)],
    ),
    Case("LSTM", dict(units=3, return_sequences=True), inputs=[(2, 4, 5)], call=dict(mask=MASK)),
    Case(
        "GRU",
        dict(units=3, zero_output_for_mask=True, return_sequences=True),
        inputs=[(2, 4, 5)],
        call=dict(mask=MASK),
    ),
    Case("SimpleRNN", dict(units=3, go_backwards=True), inputs=[(2, 4, 5)], call=dict(mask=MASK)),
    Case("Bidirectional", dict(layer=LSTM), inputs=[(2, 4, 5)]),
    Case("Bidirectional", dict(layer=LSTM), inputs=[(2, 4, 5)], call=dict(mask=MASK)),
    Case("Bidirectional", dict(layer=LSTM, merge_mode="sum"), inputs=[(2, 4, 5)]),
    Case(
        "Bidirectional",
        dict(layer=Part("GRU", dict(units=2, return_state=True)), merge_mode=None),
        inputs=[(2, 4, 5)],
    ),
    Case(
        "Bidirectional",
        dict(
            layer=Part("SimpleRNN", dict(units=2)),
            merge_mode="ave",
            backward_layer=Part("LSTM", dict(units=2, go_backwards=True)),
        ),
        inputs=[(2, 4, 5)],
    ),
    Case(
        "TimeDistributed",
        dict(layer=Part("Dense", dict(units=3, activation="relu"))),
        inputs=[(2, 4, 5)],
    ),
    Case(
        "TimeDistributed",
        dict(layer=Part("Conv2D", dict(filters=2, kernel_size=2))),
        inputs=[(2, 3, 4, 4, 1)],
    ),
    Case(
        "TimeDistributed",
        dict(layer=Part("BatchNormalization", {})),
        inputs=[(2, 4, 5)],
        training=True,
    ),
    Case(
        "SpectralNormalization",
        dict(layer=Part("Dense", dict(units=3)), power_iterations=2),
        inputs=[(2, 4)],
        training=True,
    ),
    Case(
        "SpectralNormalization",
        dict(layer=Part("Conv2D", dict(filters=2, kernel_size=2))),
        inputs=[(2, 4, 4, 2)],
        training=False,
    ),
    Case("BatchNormalization", {}, inputs=[(2, 4, 5)], call=dict(mask=MASK), training=True),
    Case("Attention", dict(use_scale=True), inputs=[[(2, 4, 3), (2, 5, 3)]]),
    Case(
        "Attention",
        dict(score_mode="concat"),
        inputs=[[(2, 4, 3), (2, 5, 3), (2, 5, 3)]],
        call=dict(return_attention_scores=True, use_causal_mask=True),
    ),
    Case(
        "AdditiveAttention",
        {},
        inputs=[[(2, 4, 3), (2, 5, 3)]],
        call=dict(return_attention_scores=True),
    ),
    Case(
        "AdditiveAttention",
        dict(use_scale=False, dropout=0.4, seed=3),
        inputs=[[(2, 4, 3), (2, 5, 3)]],
        training=True,
    ),
]
