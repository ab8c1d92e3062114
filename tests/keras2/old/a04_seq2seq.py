"""An encoder and a decoder with the states of LSTMs, and weights for each time step."""

import numpy as np
import keras
from keras.models import Model
from keras.layers import Input, LSTM, Dense, TimeDistributed
from keras.losses import mse

tokens, latent = 5, 4
encoder_inputs = Input(shape=(None, tokens))
encoder = LSTM(latent, return_state=True)
encoder_outputs, state_h, state_c = encoder(encoder_inputs)
encoder_states = [state_h, state_c]
decoder_inputs = Input(shape=(None, tokens))
decoder_lstm = LSTM(latent, return_sequences=True, return_state=True)
decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
decoder_outputs = TimeDistributed(Dense(tokens, activation="softmax"))(decoder_outputs)
model = Model([encoder_inputs, decoder_inputs], decoder_outputs)
model.compile(optimizer="rmsprop", loss=mse, sample_weight_mode="temporal")
rows = np.random.RandomState(0)
source, target = rows.rand(8, 4, tokens), rows.rand(8, 6, tokens)
model.fit([source, target], target, batch_size=4, epochs=1, sample_weight=np.ones((8, 6)), verbose=0)
encoder_model = Model(encoder_inputs, encoder_states)
state_inputs = [Input(shape=(latent,)), Input(shape=(latent,))]
outputs, h, c = decoder_lstm(decoder_inputs, initial_state=state_inputs)
decoder_model = Model([decoder_inputs] + state_inputs, [outputs, h, c])
print([part.shape for part in decoder_model.predict([target] + encoder_model.predict(source, verbose=0), verbose=0)])
model.save("s2s")  # hand: model.save('s2s.keras')
