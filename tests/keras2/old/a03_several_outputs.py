"""Two inputs and two outputs, with losses and weights for each."""

import numpy as np
from keras.layers import Input, Embedding, LSTM, Dense, concatenate
from keras.models import Model

main_input = Input(shape=(6,), dtype="int32", name="main_input")
x = Embedding(output_dim=4, input_dim=20, input_length=6)(main_input)  # hand: x = Embedding(output_dim=4, input_dim=20)(main_input)
lstm_out = LSTM(4)(x)
auxiliary_output = Dense(1, activation="sigmoid", name="aux_output")(lstm_out)
auxiliary_input = Input(shape=(3,), name="aux_input")
x = concatenate([lstm_out, auxiliary_input])
x = Dense(4, activation="relu")(x)
main_output = Dense(1, activation="sigmoid", name="main_output")(x)
model = Model(input=[main_input, auxiliary_input], output=[main_output, auxiliary_output])
model.compile(optimizer="rmsprop", loss={"main_output": "binary_crossentropy", "aux_output": "mse"}, loss_weights={"main_output": 1.0, "aux_output": 0.2}, metrics={"main_output": "acc"})
rows = np.random.RandomState(0)
words, extra, labels = rows.randint(0, 20, (16, 6)), rows.rand(16, 3), rows.randint(0, 2, (16, 1))
history = model.fit([words, extra], [labels, labels], nb_epoch=1, batch_size=8, verbose=0)
print(sorted(history.history))
scores = model.evaluate([words, extra], [labels, labels], verbose=0)
print(dict(zip(model.metrics_names, scores)))  # hand: print(model.evaluate([words, extra], [labels, labels], verbose=0, return_dict=True))
