"""Curves of a training, drawn while it runs."""

import keras
import numpy as np
from livelossplot import PlotLossesKeras
from livelossplot.outputs import ExtremaPrinter

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
plots = PlotLossesKeras(outputs=[ExtremaPrinter()])
model.fit(x, x.sum(axis=1), epochs=2, shuffle=False, verbose=0, callbacks=[plots])
