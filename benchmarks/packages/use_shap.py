"""Shapley values of a network, by sampling."""

import keras
import numpy as np
import shap

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])
predict = lambda rows: model.predict(rows, verbose=0)[:, 0]  # noqa: E731
found = shap.KernelExplainer(predict, x[:5]).shap_values(x[5:7], silent=True)
print("KernelExplainer", np.round(found, 4).tolist())
found = shap.PermutationExplainer(predict, x[:5], seed=0)(x[5:7])
print("PermutationExplainer", np.round(found.values, 4).tolist())
