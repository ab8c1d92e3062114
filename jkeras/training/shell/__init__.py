"""What a Keras-like model shows of training: `compile`, `fit`, `evaluate`, `predict`."""
