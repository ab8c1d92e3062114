"""Merge layers, run by both libraries; their one input is a list."""

from tests.parity.case import Case

SAME = [(2, 4, 3), (2, 4, 3)]
BROADCAST = [(2, 4, 3), (2, 1, 3)]
OTHER_RANK = [(2, 4, 3), (2, 3)]

CASES = [
    Case("Add", {}, inputs=[[*SAME, (2, 4, 3)]]),
    Case("Add", {}, inputs=[OTHER_RANK]),
    Case("Add", {}, inputs=[SAME], ints=5),
    Case("Subtract", {}, inputs=[BROADCAST]),
    Case("Multiply", dict(dtype="mixed_bfloat16"), inputs=[SAME]),
    Case("Multiply", {}, inputs=[OTHER_RANK]),
    Case("Average", {}, inputs=[[*SAME, (2, 4, 3)]]),
    Case("Average", {}, inputs=[SAME], ints=5),
    Case("Maximum", {}, inputs=[BROADCAST]),
    Case("Minimum", {}, inputs=[OTHER_RANK]),
    Case("Concatenate", {}, inputs=[[(2, 4, 3), (2, 4, 1), (2, 4, 2)]]),
    Case("Concatenate", dict(axis=1), inputs=[[(2, 4, 3), (2, 2, 3)]]),
    Case("Dot", dict(axes=1), inputs=[[(3, 4), (3, 4)]]),
    Case("Dot", dict(axes=-1, normalize=True), inputs=[SAME]),
    Case("Dot", dict(axes=(2, 1)), inputs=[[(2, 3, 4), (2, 4, 5)]]),
    Case("Dot", dict(axes=(2, 3)), inputs=[[(2, 4, 3), (2, 5, 2, 3)]]),
    Case("Dot", dict(axes=(1, 2)), inputs=[[(2, 3), (2, 4, 3)]]),
]
