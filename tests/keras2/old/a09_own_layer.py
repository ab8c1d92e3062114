"""A layer, a metric and a regularized loss of one's own."""

import numpy as np
import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras.layers import Layer, Input, LSTM, Bidirectional, Dense
from tensorflow.keras.models import Model, load_model
from tensorflow.keras.preprocessing.sequence import pad_sequences


class AttentionLayer(Layer):
    def __init__(self, attention_dim=4, **kwargs):
        self.attention_dim = attention_dim
        super(AttentionLayer, self).__init__(**kwargs)

    def build(self, input_shape):
        self.W = self.add_weight("W", (input_shape[-1], self.attention_dim), initializer="uniform")
        self.u = self.add_weight(name="u", shape=(self.attention_dim, 1), initializer="normal")
        super(AttentionLayer, self).build(input_shape)

    def call(self, x, mask=None):
        uit = K.tanh(K.dot(x, self.W))
        ait = K.squeeze(K.dot(uit, self.u), -1)
        ait = K.exp(ait)
        ait = ait / K.sum(ait, axis=1, keepdims=True)
        return K.sum(x * K.expand_dims(ait), axis=1)

    def get_config(self):
        config = super(AttentionLayer, self).get_config()
        config["attention_dim"] = self.attention_dim
        return config


def f1(y_true, y_pred):
    tp = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    return 2 * tp / (K.sum(y_true) + K.sum(K.round(y_pred)) + K.epsilon())


inputs = Input(shape=(6, 3))
x = AttentionLayer(name="attention")(Bidirectional(LSTM(4, return_sequences=True))(inputs))
model = Model(inputs, Dense(1, activation="sigmoid")(x))
model.compile(loss="binary_crossentropy", optimizer="nadam", metrics=[f1])
rows = np.random.RandomState(0)
model.fit(rows.rand(16, 6, 3), np.arange(16).reshape(-1, 1) % 2 * 1.0, epochs=1, verbose=0)
model.save("attention.h5")
again = load_model("attention.h5", custom_objects={"AttentionLayer": AttentionLayer, "f1": f1})
print(again.predict(rows.rand(2, 6, 3)).shape, pad_sequences([[1], [2, 3]]).shape)
