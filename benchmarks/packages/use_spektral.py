"""Layers on graphs, which are made; their calls ask for tensors of TensorFlow's."""

import keras
import spektral
from spektral.layers import GCNConv, GlobalSumPool

layer = GCNConv(4, activation="relu")
print("GCNConv", layer.channels, isinstance(layer, keras.layers.Layer))
print("config", sorted(layer.get_config())[:5])
print("GlobalSumPool", isinstance(GlobalSumPool(), keras.layers.Layer))
print("version", spektral.__version__)
