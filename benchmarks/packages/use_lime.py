"""A local linear model of a classifier."""

import keras
import numpy as np
from lime.lime_tabular import LimeTabularExplainer

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(50, 4)).astype("float32")
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, "softmax")])
explainer = LimeTabularExplainer(x, discretize_continuous=False, random_state=0)
found = explainer.explain_instance(
    x[0], lambda rows: model.predict(rows.astype("float32"), verbose=0), num_samples=200
)
print("weights", sorted((feature, round(weight, 3)) for feature, weight in found.as_map()[1]))
