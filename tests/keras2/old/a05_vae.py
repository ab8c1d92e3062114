"""A variational autoencoder whose loss is added to the model."""

import numpy as np
from keras import backend as K
from keras.layers import Input, Dense, Lambda
from keras.models import Model
from keras.losses import binary_crossentropy

generator = None  # then: import keras; generator = keras.random.SeedGenerator(1)


def sampling(args):
    z_mean, z_log_var = args
    batch = K.shape(z_mean)[0]
    dim = K.int_shape(z_mean)[1]
    epsilon = K.random_normal(shape=(batch, dim))  # hand: epsilon = keras.random.normal((batch, dim), seed=generator)
    return z_mean + K.exp(0.5 * z_log_var) * epsilon


inputs = Input(shape=(12,), name="encoder_input")
x = Dense(8, activation="relu")(inputs)
z_mean = Dense(2, name="z_mean")(x)
z_log_var = Dense(2, name="z_log_var")(x)
z = Lambda(sampling, output_shape=(2,), name="z")([z_mean, z_log_var])
encoder = Model(inputs, [z_mean, z_log_var, z], name="encoder")
latent_inputs = Input(shape=(2,), name="z_sampling")
outputs = Dense(12, activation="sigmoid")(Dense(8, activation="relu")(latent_inputs))
decoder = Model(latent_inputs, outputs, name="decoder")
decoded = decoder(encoder(inputs)[2])
vae = Model(inputs, decoded, name="vae_mlp")
reconstruction_loss = binary_crossentropy(inputs, decoded) * 12
kl_loss = 1 + z_log_var - K.square(z_mean) - K.exp(z_log_var)
kl_loss = K.sum(kl_loss, axis=-1) * -0.5
vae_loss = K.mean(reconstruction_loss + kl_loss)
vae.add_loss(vae_loss)  # hand: add = type('Add', (keras.layers.Layer,), {'call': lambda self, x: (self.add_loss(x[1]), x[0])[1]}); vae = Model(inputs, add()([decoded, vae_loss]))
vae.compile(optimizer="adam")
data = np.random.RandomState(0).rand(16, 12)
vae.fit(data, epochs=1, batch_size=8, verbose=0)
vae.save_weights("vae_mlp.h5")
print(encoder.predict(data, batch_size=8)[2].shape)
