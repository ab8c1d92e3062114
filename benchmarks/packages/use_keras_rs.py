"""A deep-and-cross network and a retrieval index over random interactions."""

import keras
import keras_rs
import numpy as np

keras.utils.set_random_seed(0)
rows = np.random.default_rng(0)
users, items = rows.integers(0, 20, 64), rows.integers(0, 30, 64)
scores = rows.normal(size=(64, 1)).astype("float32")

user = keras.Input((), dtype="int32", name="user")
item = keras.Input((), dtype="int32", name="item")
x = keras.layers.Concatenate()(
    [keras.layers.Embedding(20, 4)(user), keras.layers.Embedding(30, 4)(item)]
)
x = keras_rs.layers.FeatureCross(projection_dim=4)(x)
model = keras.Model([user, item], keras.layers.Dense(1)(x))
model.compile("adam", "mse")
history = model.fit([users, items], scores, epochs=3, verbose=0)
print("FeatureCross", len(history.history["loss"]), model.count_params())

dot = keras_rs.layers.DotInteraction()(
    [keras.ops.ones((2, 4)), keras.ops.ones((2, 4)), keras.ops.ones((2, 4))]
)
print("DotInteraction", tuple(dot.shape))
index = keras_rs.layers.BruteForceRetrieval(
    candidate_embeddings=rows.normal(size=(30, 4)).astype("float32"), k=3
)
found = index(rows.normal(size=(2, 4)).astype("float32"))
print("BruteForceRetrieval", [tuple(part.shape) for part in found])
print(
    "PairwiseHingeLoss",
    float(keras_rs.losses.PairwiseHingeLoss()([[1.0, 0.0, 0.0]], [[0.2, 0.4, 0.1]])),
)
ndcg = keras_rs.metrics.NDCG(k=2)
ndcg.update_state(np.array([[2.0, 0.0, 1.0]]), np.array([[0.1, 0.7, 0.2]]))
print("NDCG", round(float(ndcg.result()), 5))
