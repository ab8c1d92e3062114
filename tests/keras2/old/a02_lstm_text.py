"""Letters one after the other, with weights in files."""

import numpy as np
from keras.models import Sequential, load_model
from keras.layers import Dense, Activation, LSTM
from keras.layers.recurrent import GRU
from keras.optimizers import RMSprop

text = "the quick brown fox jumps over the lazy dog " * 2
chars = sorted(list(set(text)))
char_indices = dict((c, i) for i, c in enumerate(chars))
maxlen, step = 5, 3
sentences = [text[i : i + maxlen] for i in range(0, len(text) - maxlen, step)]
next_chars = [text[i + maxlen] for i in range(0, len(text) - maxlen, step)]
X = np.zeros((len(sentences), maxlen, len(chars)), dtype=bool)
y = np.zeros((len(sentences), len(chars)), dtype=bool)
for i, sentence in enumerate(sentences):
    for t, char in enumerate(sentence):
        X[i, t, char_indices[char]] = 1
    y[i, char_indices[next_chars[i]]] = 1
model = Sequential()
model.add(LSTM(8, input_shape=(maxlen, len(chars)), return_sequences=True))
model.add(GRU(4, implementation=2))
model.add(Dense(len(chars)))
model.add(Activation("softmax"))
model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.01))
model.fit(X, y, batch_size=16, nb_epoch=1, verbose=0)
model.save_weights("text.h5")
model.load_weights("text.h5")
model.save("text_model.h5")
again = load_model("text_model.h5")
preds = again.predict(X[:1], verbose=0)[0]
print(preds.shape, model.predict_classes(X[:1]))  # hand: print(preds.shape, model.predict(X[:1]).argmax(axis=-1))
