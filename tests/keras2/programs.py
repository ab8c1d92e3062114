# ruff: noqa: E501 - people write long lines
"""Programs as people wrote them for Keras 1, Keras 2 and tf.keras, on data that fit a test."""

import pathlib

PROGRAMS = {}


def program(title, source):
    PROGRAMS[title] = source


HEAD = """
import numpy as np
np.random.seed(0)
"""

program(
    "mnist_mlp of Keras 1",
    """
    from keras.models import Sequential
    from keras.layers.core import Dense, Dropout, Activation
    from keras.optimizers import RMSprop
    from keras.utils import np_utils
    X, y = np.random.rand(32, 8), np.random.randint(0, 3, 32)
    Y = np_utils.to_categorical(y, 3)
    model = Sequential()
    model.add(Dense(6, input_shape=(8,), init="normal", W_regularizer="l2"))
    model.add(Activation("relu"))
    model.add(Dropout(p=0.2))
    model.add(Dense(output_dim=3))
    model.add(Activation("softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.01), metrics=["accuracy"])
    history = model.fit(X, Y, batch_size=8, nb_epoch=2, verbose=0, validation_data=(X, Y))
    assert len(history.history["val_acc"]) == len(history.history["acc"]) == 2
    score = model.evaluate(X, Y, verbose=0)
    assert len(score) == 2 and model.predict_classes(X, verbose=0).shape == (32,)
    assert model.predict_proba(X).shape == (32, 3)
""",
)
program(
    "mnist_cnn of Keras 1",
    """
    from keras.models import Sequential
    from keras.layers import Dense, Flatten, Convolution2D, MaxPooling2D, Activation
    from keras import backend as K
    X = np.random.rand(8, 10, 10, 1)
    model = Sequential()
    model.add(Convolution2D(4, 3, 3, border_mode="valid", input_shape=(10, 10, 1)))
    model.add(Activation("relu"))
    model.add(Convolution2D(nb_filter=4, nb_row=3, nb_col=3, subsample=(1, 1), activation="relu"))
    model.add(MaxPooling2D(pool_size=(2, 2), dim_ordering="tf"))
    model.add(Flatten())
    model.add(Dense(2, activation="softmax"))
    assert K.image_dim_ordering() == "tf" and model.output_shape == (None, 2)
    model.compile("adadelta", "sparse_categorical_crossentropy", ["acc"])
    model.fit(X, np.zeros(8), nb_epoch=1, verbose=0)
""",
)
program(
    "imdb_lstm",
    """
    from keras.preprocessing import sequence
    from keras.models import Sequential
    from keras.layers import Dense, Embedding, LSTM
    x = sequence.pad_sequences([[1, 2, 3], [4, 5], [6]], maxlen=4)
    model = Sequential()
    model.add(Embedding(10, 4, dropout=0.2))
    model.add(LSTM(3, dropout_W=0.2, dropout_U=0.2))
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    model.fit(x, np.array([0, 1, 1]), batch_size=3, epochs=1, verbose=0)
    assert set(model.predict_classes(x).ravel()) <= {0, 1}
""",
)
program(
    "imdb_cnn",
    """
    from keras.models import Sequential
    from keras.layers import Dense, Dropout, Activation, Embedding, Conv1D, GlobalMaxPooling1D
    model = Sequential()
    model.add(Embedding(20, 4, input_length=8))
    model.add(Conv1D(3, 3, padding="valid", activation="relu", strides=1))
    model.add(GlobalMaxPooling1D())
    model.add(Dense(1))
    model.add(Activation("sigmoid"))
    assert model.output_shape == (None, 1)
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    x = np.random.randint(0, 20, (6, 8))
    model.fit(x, np.ones(6), epochs=1, verbose=0, validation_split=0.5)
""",
)
program(
    "imdb_bidirectional_lstm and CuDNN",
    """
    from keras.models import Sequential
    from keras.layers import Bidirectional, CuDNNLSTM, CuDNNGRU, Dense
    model = Sequential()
    model.add(Bidirectional(CuDNNLSTM(2, return_sequences=True), input_shape=(5, 3)))
    model.add(CuDNNGRU(2))
    model.add(Dense(1))
    model.compile("sgd", "mse")
    assert model.predict(np.zeros((2, 5, 3))).shape == (2, 1)
""",
)
program(
    "babi_rnn: merge of two branches",
    """
    from keras.layers.embeddings import Embedding
    from keras.layers import Dense, Merge, Dropout, RepeatVector, recurrent, Input, merge
    from keras.models import Model
    story, question = Input(shape=(4,), dtype="int32"), Input(shape=(3,), dtype="int32")
    s = Dropout(0.3)(Embedding(10, 4)(story))
    q = RepeatVector(4)(recurrent.LSTM(4)(Embedding(10, 4)(question)))
    merged = merge([s, q], mode="sum")
    answer = Dense(10, activation="softmax")(recurrent.LSTM(4)(merged))
    model = Model(input=[story, question], output=answer)
    model.compile(optimizer="adam", loss="categorical_crossentropy", metrics=["accuracy"])
    data = [np.ones((2, 4)), np.ones((2, 3))]
    model.fit(data, np.eye(10)[:2], nb_epoch=1, verbose=0)
""".replace("Dense, Merge, Dropout", "Dense, Dropout"),
)
program(
    "variational_autoencoder with add_loss",
    """
    from keras.layers import Lambda, Input, Dense
    from keras.models import Model
    from keras.losses import mse, binary_crossentropy
    from keras import backend as K
    def sampling(args):
        z_mean, z_log_var = args
        batch = K.shape(z_mean)[0]
        dim = K.int_shape(z_mean)[1]
        return z_mean + K.exp(0.5 * z_log_var) * K.random_normal(shape=(batch, dim))
    inputs = Input(shape=(6,), name="encoder_input")
    x = Dense(4, activation="relu")(inputs)
    z_mean, z_log_var = Dense(2, name="z_mean")(x), Dense(2, name="z_log_var")(x)
    z = Lambda(sampling, output_shape=(2,), name="z")([z_mean, z_log_var])
    encoder = Model(inputs, [z_mean, z_log_var, z], name="encoder")
    latent = Input(shape=(2,), name="z_sampling")
    decoder = Model(latent, Dense(6, activation="sigmoid")(latent), name="decoder")
    outputs = decoder(encoder(inputs)[2])
    vae = Model(inputs, outputs, name="vae_mlp")
    reconstruction = binary_crossentropy(inputs, outputs) * 6
    kl = -0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
    vae.add_loss(K.mean(reconstruction + kl))
    vae.compile(optimizer="adam")
    data = np.random.rand(16, 6)
    h = vae.fit(data, epochs=2, batch_size=8, verbose=0)
    assert h.history["loss"][0] > 0 and encoder.predict(data)[2].shape == (16, 2)
""",
)
program(
    "antirectifier",
    """
    from keras.models import Sequential
    from keras import layers, backend as K
    class Antirectifier(layers.Layer):
        def compute_output_shape(self, input_shape):
            shape = list(input_shape)
            shape[-1] *= 2
            return tuple(shape)
        def call(self, inputs):
            inputs -= K.mean(inputs, axis=1, keepdims=True)
            inputs = K.l2_normalize(inputs, axis=1)
            return K.concatenate([K.relu(inputs), K.relu(-inputs)], axis=1)
    model = Sequential()
    model.add(layers.Dense(4, input_shape=(6,)))
    model.add(Antirectifier())
    model.add(layers.Dense(2))
    model.compile(loss="mse", optimizer="rmsprop")
    model.fit(np.ones((4, 6)), np.ones((4, 2)), epochs=1, verbose=0)
    assert model.layers[1].output.shape == (None, 8)
""",
)
program(
    "lstm_text_generation",
    """
    from keras.callbacks import LambdaCallback
    from keras.models import Sequential
    from keras.layers import Dense, LSTM
    from keras.optimizers import RMSprop
    model = Sequential()
    model.add(LSTM(4, input_shape=(5, 7)))
    model.add(Dense(7, activation="softmax"))
    model.compile(loss="categorical_crossentropy", optimizer=RMSprop(lr=0.01))
    seen = []
    def on_epoch_end(epoch, _):
        preds = model.predict(np.zeros((1, 5, 7)), verbose=0)[0]
        seen.append(np.log(np.asarray(preds).astype("float64")))
    callback = LambdaCallback(on_epoch_end=on_epoch_end)
    model.fit(np.zeros((4, 5, 7)), np.eye(7)[:4], batch_size=4, epochs=2, callbacks=[callback], verbose=0)
    assert len(seen) == 2
""",
)
program(
    "mnist_siamese",
    """
    from keras.models import Model
    from keras.layers import Input, Dense, Lambda, Flatten
    from keras import backend as K
    def euclidean_distance(vects):
        x, y = vects
        return K.sqrt(K.maximum(K.sum(K.square(x - y), axis=1, keepdims=True), K.epsilon()))
    def eucl_dist_output_shape(shapes):
        return (shapes[0][0], 1)
    def contrastive_loss(y_true, y_pred):
        return K.mean(y_true * K.square(y_pred) + (1 - y_true) * K.square(K.maximum(1 - y_pred, 0)))
    def accuracy(y_true, y_pred):
        return K.mean(K.equal(y_true, K.cast(y_pred < 0.5, y_true.dtype)))
    inp = Input(shape=(4, 4))
    base = Model(inp, Dense(3, activation="relu")(Flatten()(inp)))
    a, b = Input(shape=(4, 4)), Input(shape=(4, 4))
    distance = Lambda(euclidean_distance, output_shape=eucl_dist_output_shape)([base(a), base(b)])
    model = Model([a, b], distance)
    model.compile(loss=contrastive_loss, optimizer="rmsprop", metrics=[accuracy])
    x = np.random.rand(4, 4, 4)
    h = model.fit([x, x], np.array([0.0, 1, 0, 1]), epochs=1, verbose=0, validation_data=([x, x], np.ones(4)))
    assert "val_accuracy" in h.history
""",
)
program(
    "deep_dream: gradients for the input",
    """
    from keras.models import Model
    from keras.layers import Input, Conv2D
    from keras import backend as K
    K.set_learning_phase(0)
    dream = Input(shape=(6, 6, 3))
    model = Model(dream, Conv2D(2, 3, name="mixed")(dream))
    layer_dict = dict([(layer.name, layer) for layer in model.layers])
    loss = K.variable(0.0)
    x = layer_dict["mixed"].output
    scaling = K.prod(K.cast(K.shape(x)[1:], "float32"))
    loss = loss + 2.0 * K.sum(K.square(x[:, 1:-1, 1:-1, :])) / 8.0
    grads = K.gradients(loss, dream)[0]
    grads /= K.maximum(K.mean(K.abs(grads)), K.epsilon())
    fetch = K.function([dream], [loss, grads])
    image = np.random.rand(1, 6, 6, 3)
    first, step = fetch([image])
    assert fetch([image + 0.01 * step])[0] > first and step.shape == image.shape
""".replace('    scaling = K.prod(K.cast(K.shape(x)[1:], "float32"))\n', ""),
)
program(
    "neural_style_transfer",
    """
    from keras import backend as K
    from keras.models import Model
    from keras.layers import Input, Conv2D
    base = K.variable(np.random.rand(1, 6, 6, 3))
    style = K.variable(np.random.rand(1, 6, 6, 3))
    combination = K.placeholder((1, 6, 6, 3))
    tensor = K.concatenate([base, style, combination], axis=0)
    features = Conv2D(2, 3, padding="same")(tensor)
    def gram_matrix(x):
        flat = K.batch_flatten(K.permute_dimensions(x, (2, 0, 1)))
        return K.dot(flat, K.transpose(flat))
    loss = K.variable(0.0)
    loss = loss + K.sum(K.square(features[2, :, :, :] - features[0, :, :, :]))
    loss = loss + K.sum(K.square(gram_matrix(features[1]) - gram_matrix(features[2]))) / 100.0
    grads = K.gradients(loss, combination)
    outputs = [loss]
    outputs += grads if isinstance(grads, (list, tuple)) else [grads]
    f = K.function([combination], outputs)
    value, gradient = f([np.random.rand(1, 6, 6, 3)])
    assert value > 0 and np.abs(gradient).max() > 0
""",
)
program(
    "cifar10_resnet: schedules and augmentation",
    """
    from keras.layers import Dense, Conv2D, BatchNormalization, Activation, Input, Flatten
    from keras.layers import AveragePooling2D
    from keras.optimizers import Adam
    from keras.callbacks import ModelCheckpoint, LearningRateScheduler, ReduceLROnPlateau
    from keras.preprocessing.image import ImageDataGenerator
    from keras.regularizers import l2
    from keras.models import Model
    import keras, tempfile, os
    inputs = Input(shape=(8, 8, 3))
    x = Conv2D(4, kernel_size=3, padding="same", kernel_initializer="he_normal", kernel_regularizer=l2(1e-4))(inputs)
    x = Activation("relu")(BatchNormalization()(x))
    y = Conv2D(4, 3, padding="same")(x)
    x = keras.layers.add([x, y])
    x = Flatten()(AveragePooling2D(pool_size=4)(x))
    model = Model(inputs=inputs, outputs=Dense(3, activation="softmax")(x))
    def lr_schedule(epoch):
        return 1e-3 if epoch < 1 else 1e-4
    model.compile(loss="categorical_crossentropy", optimizer=Adam(lr=lr_schedule(0)), metrics=["accuracy"])
    path = os.path.join(tempfile.mkdtemp(), "model.{epoch:03d}.h5")
    callbacks = [
        ModelCheckpoint(filepath=path, monitor="val_acc", verbose=0, save_best_only=True),
        ReduceLROnPlateau(factor=0.3, cooldown=0, patience=5, min_lr=0.5e-6),
        LearningRateScheduler(lr_schedule),
    ]
    x_train, y_train = np.random.rand(16, 8, 8, 3), np.eye(3)[np.random.randint(0, 3, 16)]
    datagen = ImageDataGenerator(featurewise_center=False, width_shift_range=0.1, rotation_range=10,
                                 height_shift_range=0.1, horizontal_flip=True, zca_epsilon=1e-06)
    datagen.fit(x_train)
    h = model.fit_generator(datagen.flow(x_train, y_train, batch_size=8), steps_per_epoch=2,
                            validation_data=(x_train, y_train), epochs=2, verbose=0, workers=4,
                            callbacks=callbacks)
    assert np.isclose(h.history["lr"][1], 1e-4) and os.listdir(os.path.dirname(path))
    scores = model.evaluate(x_train, y_train, verbose=0)
    assert np.isclose(keras.backend.get_value(model.optimizer.lr), 1e-4)
""",
)
program(
    "image_ocr: CTC in a Lambda",
    """
    from keras import backend as K
    from keras.layers import Input, Dense, Lambda, GRU
    from keras.layers.merge import add, concatenate
    from keras.models import Model
    from keras.optimizers import SGD
    def ctc_lambda_func(args):
        y_pred, labels, input_length, label_length = args
        return K.ctc_batch_cost(labels, y_pred, input_length, label_length)
    data = Input(name="the_input", shape=(8, 3), dtype="float32")
    g1 = GRU(4, return_sequences=True, kernel_initializer="he_normal", name="gru1")(data)
    g2 = GRU(4, return_sequences=True, go_backwards=True, name="gru1_b")(data)
    y_pred = Dense(5, activation="softmax", name="softmax")(add([g1, g2]))
    labels = Input(name="the_labels", shape=[3], dtype="float32")
    input_length = Input(name="input_length", shape=[1], dtype="int64")
    label_length = Input(name="label_length", shape=[1], dtype="int64")
    loss_out = Lambda(ctc_lambda_func, output_shape=(1,), name="ctc")([y_pred, labels, input_length, label_length])
    sgd = SGD(lr=0.02, decay=1e-6, momentum=0.9, nesterov=True, clipnorm=5)
    model = Model(inputs=[data, labels, input_length, label_length], outputs=loss_out)
    model.compile(loss={"ctc": lambda y_true, y_pred: y_pred}, optimizer=sgd)
    test_func = K.function([data], [y_pred])
    inputs = {"the_input": np.random.rand(4, 8, 3), "the_labels": np.random.randint(0, 4, (4, 3)),
              "input_length": np.full((4, 1), 8), "label_length": np.full((4, 1), 3)}
    model.fit(inputs, {"ctc": np.zeros([4])}, epochs=1, verbose=0)
    out = test_func([inputs["the_input"]])[0]
    decoded = K.get_value(K.ctc_decode(out, input_length=np.ones(4) * 8, greedy=True)[0][0])
    assert out.shape == (4, 8, 5) and decoded.shape[0] == 4
""",
)
program(
    "pretrained_word_embeddings",
    """
    from keras.preprocessing.text import Tokenizer
    from keras.preprocessing.sequence import pad_sequences
    from keras.utils import to_categorical
    from keras.layers import Dense, Input, GlobalMaxPooling1D, Conv1D, MaxPooling1D, Embedding
    from keras.models import Model
    from keras.initializers import Constant
    texts = ["the cat sat", "a dog ran off", "the dog sat", "cats run"]
    tokenizer = Tokenizer(num_words=10)
    tokenizer.fit_on_texts(texts)
    data = pad_sequences(tokenizer.texts_to_sequences(texts), maxlen=8)
    matrix = np.random.rand(10, 4)
    layer = Embedding(10, 4, weights=[matrix], input_length=8, trainable=False)
    seq = Input(shape=(8,), dtype="int32")
    x = MaxPooling1D(2)(Conv1D(4, 3, activation="relu")(layer(seq)))
    model = Model(seq, Dense(2, activation="softmax")(GlobalMaxPooling1D()(x)))
    model.compile(loss="categorical_crossentropy", optimizer="rmsprop", metrics=["acc"])
    model.fit(data, to_categorical(np.array([0, 1, 0, 1])), batch_size=4, epochs=1, verbose=0)
    assert np.allclose(layer.get_weights()[0], matrix)
""",
)
program(
    "lstm_stateful",
    """
    from keras.models import Sequential
    from keras.layers import Dense, LSTM
    model = Sequential()
    model.add(LSTM(3, input_shape=(2, 1), batch_size=4, stateful=True) if False else
              LSTM(3, batch_input_shape=(4, 2, 1), return_sequences=False, stateful=True))
    model.add(Dense(1))
    model.compile(loss="mse", optimizer="adam")
    x = np.random.rand(8, 2, 1)
    for i in range(2):
        model.fit(x, x[:, 0], batch_size=4, epochs=1, verbose=0, shuffle=False)
        model.reset_states()
    first = model.predict(x[:4], batch_size=4)
    second = model.predict(x[:4], batch_size=4)
    model.reset_states()
    assert not np.allclose(first, second) and np.allclose(model.predict(x[:4], batch_size=4), first)
""",
)
program(
    "addition_rnn",
    """
    from keras.models import Sequential
    from keras import layers
    model = Sequential()
    model.add(layers.LSTM(4, input_shape=(3, 5)))
    model.add(layers.RepeatVector(2))
    model.add(layers.LSTM(4, return_sequences=True))
    model.add(layers.TimeDistributed(layers.Dense(5, activation="softmax")))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    x, y = np.zeros((4, 3, 5)), np.eye(5)[np.zeros((4, 2), int)]
    model.fit(x, y, batch_size=2, epochs=1, validation_data=(x, y), verbose=0)
    assert model.predict_classes(x, verbose=0).shape == (4, 2)
""",
)
program(
    "mnist_acgan: training on batches",
    """
    from keras.layers import Input, Embedding, multiply, Flatten, Dense, Dropout
    from keras.layers.advanced_activations import LeakyReLU
    from keras.models import Sequential, Model
    from keras.optimizers import Adam
    generator = Sequential()
    generator.add(Dense(8, input_dim=4, activation="relu"))
    generator.add(Dense(6, activation="tanh"))
    latent, label = Input(shape=(4,)), Input(shape=(1,), dtype="int32")
    h = multiply([latent, Flatten()(Embedding(3, 4)(label))])
    fake_image = generator(h)
    generator = Model([latent, label], fake_image)
    cnn = Sequential([Dense(8, input_shape=(6,)), LeakyReLU(0.2), Dropout(0.3)])
    image = Input(shape=(6,))
    features = cnn(image)
    fake = Dense(1, activation="sigmoid", name="generation")(features)
    aux = Dense(3, activation="softmax", name="auxiliary")(features)
    discriminator = Model(image, [fake, aux])
    loss = ["binary_crossentropy", "sparse_categorical_crossentropy"]
    discriminator.compile(optimizer=Adam(lr=0.0002, beta_1=0.5), loss=loss)
    discriminator.trainable = False
    f, a = discriminator(generator([latent, label]))
    combined = Model([latent, label], [f, a])
    combined.compile(optimizer=Adam(0.0002, 0.5), loss=loss)
    noise, labels = np.random.rand(4, 4), np.array([0, 1, 2, 0])
    images = generator.predict([noise, labels.reshape((-1, 1))], verbose=0)
    d = discriminator.train_on_batch(images, [np.zeros(4), labels])
    g = combined.train_on_batch([noise, labels.reshape((-1, 1))], [np.ones(4), labels])
    assert np.isfinite(d).all() and np.isfinite(g).all()
""",
)
program(
    "conv_lstm and seq2seq",
    """
    from keras.models import Sequential, Model
    from keras.layers.convolutional import Conv3D
    from keras.layers.convolutional_recurrent import ConvLSTM2D
    from keras.layers.normalization import BatchNormalization
    from keras.layers import Input, LSTM, Dense
    seq = Sequential()
    seq.add(ConvLSTM2D(filters=2, kernel_size=(3, 3), input_shape=(None, 6, 6, 1), padding="same", return_sequences=True))
    seq.add(BatchNormalization())
    seq.add(Conv3D(filters=1, kernel_size=(3, 3, 3), activation="sigmoid", padding="same", data_format="channels_last"))
    seq.compile(loss="binary_crossentropy", optimizer="adadelta")
    assert seq.predict(np.zeros((1, 3, 6, 6, 1))).shape == (1, 3, 6, 6, 1)
    encoder_inputs = Input(shape=(None, 4))
    outputs, state_h, state_c = LSTM(3, return_state=True)(encoder_inputs)
    decoder_inputs = Input(shape=(None, 5))
    out, _, _ = LSTM(3, return_sequences=True, return_state=True)(decoder_inputs, initial_state=[state_h, state_c])
    model = Model([encoder_inputs, decoder_inputs], Dense(5, activation="softmax")(out))
    model.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit([np.zeros((2, 3, 4)), np.zeros((2, 4, 5))], np.zeros((2, 4, 5)), epochs=1, verbose=0)
""",
)
program(
    "deep autoencoder and layers of a decoder",
    """
    from keras.layers import Input, Dense
    from keras.models import Model
    img = Input(shape=(8,))
    encoded = Dense(3, activation="relu")(img)
    decoded = Dense(8, activation="sigmoid")(encoded)
    autoencoder = Model(input=img, output=decoded)
    encoder = Model(input=img, output=encoded)
    encoded_input = Input(shape=(3,))
    decoder = Model(input=encoded_input, output=autoencoder.layers[-1](encoded_input))
    autoencoder.compile(optimizer="adadelta", loss="binary_crossentropy")
    x = np.random.rand(8, 8)
    autoencoder.fit(x, x, nb_epoch=1, batch_size=4, shuffle=True, verbose=0)
    assert decoder.predict(encoder.predict(x)).shape == (8, 8)
""",
)
program(
    "own layer with add_weight by name",
    """
    from keras import backend as K
    from keras.engine.topology import Layer
    from keras.models import Sequential
    from keras import initializers
    class MyLayer(Layer):
        def __init__(self, output_dim, **kwargs):
            self.output_dim = output_dim
            super(MyLayer, self).__init__(**kwargs)
        def build(self, input_shape):
            self.kernel = self.add_weight(name="kernel", shape=(input_shape[1], self.output_dim),
                                          initializer="uniform", trainable=True)
            super(MyLayer, self).build(input_shape)
        def call(self, x):
            return K.dot(x, self.kernel)
        def compute_output_shape(self, input_shape):
            return (input_shape[0], self.output_dim)
    model = Sequential()
    model.add(MyLayer(3, input_shape=(4,)))
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 3)), epochs=1, verbose=0)
    assert model.layers[0].get_weights()[0].shape == (4, 3)
""",
)
program(
    "attention layer",
    """
    from keras import backend as K
    from keras.layers import Layer, Input, LSTM, Dense
    from keras.models import Model
    class AttentionWithContext(Layer):
        def __init__(self, **kwargs):
            self.supports_masking = True
            super().__init__(**kwargs)
        def build(self, input_shape):
            self.W = self.add_weight(shape=(input_shape[-1], input_shape[-1]), initializer="glorot_uniform", name="W")
            self.u = self.add_weight(shape=(input_shape[-1], 1), initializer="one", name="u")
            super().build(input_shape)
        def compute_mask(self, inputs, mask=None):
            return None
        def call(self, x, mask=None):
            uit = K.tanh(K.dot(x, self.W))
            a = K.exp(K.squeeze(K.dot(uit, self.u), axis=-1))
            if mask is not None:
                a *= K.cast(mask, K.floatx())
            a /= K.cast(K.sum(a, axis=1, keepdims=True) + K.epsilon(), K.floatx())
            return K.sum(x * K.expand_dims(a), axis=1)
        def compute_output_shape(self, input_shape):
            return input_shape[0], input_shape[-1]
    x = Input((5, 3))
    model = Model(x, Dense(1)(AttentionWithContext()(LSTM(4, return_sequences=True)(x))))
    model.compile("adam", "mae", metrics=["mse"])
    h = model.fit(np.ones((4, 5, 3)), np.ones(4), epochs=1, verbose=0)
    assert h.history["mean_squared_error"] == h.history["mse"]
""",
)
program(
    "own callback that stops",
    """
    from keras.callbacks import Callback, EarlyStopping
    from keras.models import Sequential
    from keras.layers import Dense
    class Stop(Callback):
        def on_train_begin(self, logs={}):
            self.losses = []
        def on_batch_end(self, batch, logs={}):
            self.losses.append(logs.get("loss"))
        def on_epoch_end(self, epoch, logs={}):
            if logs.get("acc") >= 0:
                self.model.stop_training = True
    model = Sequential([Dense(2, input_dim=3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=["accuracy"])
    stop = Stop()
    x, y = np.ones((4, 3)), np.eye(2)[[0, 1, 0, 1]]
    h = model.fit(x, y, epochs=5, batch_size=2, verbose=0, callbacks=[stop])
    assert len(h.history["loss"]) == 1 and len(stop.losses) == 2
    h = model.fit(x, y, epochs=5, verbose=0, validation_data=(x, y), callbacks=[EarlyStopping(monitor="val_acc", patience=1)])
    assert len(h.history["val_acc"]) < 5
""",
)
program(
    "fit_generator with a Python generator",
    """
    from keras.models import Sequential
    from keras.layers import Dense
    def generator():
        while True:
            yield np.ones((4, 3)), np.ones((4, 1))
    model = Sequential([Dense(1, input_dim=3)])
    model.compile("sgd", "mse", metrics=["mae"])
    h = model.fit_generator(generator(), steps_per_epoch=3, epochs=2, verbose=0,
                            validation_data=generator(), validation_steps=1, max_queue_size=10, workers=1)
    assert len(h.history["mean_absolute_error"]) == 2
    h = model.fit_generator(generator(), samples_per_epoch=8, nb_epoch=1, verbose=0, nb_worker=1)
    assert model.predict_generator(generator(), steps=2).shape == (8, 1)
    assert len(model.evaluate_generator(generator(), steps=2)) == 2
""",
)
program(
    "a Sequence of one's own",
    """
    from keras.utils import Sequence
    from keras.models import Sequential
    from keras.layers import Dense
    class Batches(Sequence):
        def __init__(self, n):
            self.n = n
        def __len__(self):
            return self.n
        def __getitem__(self, index):
            return np.ones((4, 3)), np.ones((4, 1))
        def on_epoch_end(self):
            pass
    model = Sequential([Dense(1, input_dim=3)])
    model.compile(loss="mse", optimizer="sgd")
    model.fit_generator(generator=Batches(3), epochs=1, verbose=0, use_multiprocessing=False, workers=2)
""",
)
program(
    "flow_from_directory",
    """
    import os, tempfile
    from keras.preprocessing.image import ImageDataGenerator, img_to_array, load_img, save_img
    from keras.models import Sequential
    from keras.layers import Flatten, Dense
    folder = tempfile.mkdtemp()
    for name in ("cats", "dogs"):
        os.makedirs(os.path.join(folder, name))
        for i in range(3):
            save_img(os.path.join(folder, name, "%d.png" % i), np.random.rand(10, 10, 3))
    train_datagen = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)
    batches = train_datagen.flow_from_directory(folder, target_size=(8, 8), batch_size=2, class_mode="binary")
    assert batches.class_indices == {"cats": 0, "dogs": 1} and len(batches) == 3
    model = Sequential([Flatten(input_shape=(8, 8, 3)), Dense(1, activation="sigmoid")])
    model.compile("rmsprop", "binary_crossentropy", ["accuracy"])
    model.fit_generator(batches, steps_per_epoch=2, epochs=1, verbose=0)
    x, y = next(batches)
    assert x.max() <= 1.0 and x.shape == (2, 8, 8, 3) and y.shape == (2,)
""",
)
program(
    "weights in files",
    """
    import os, tempfile
    from keras.models import Sequential, load_model, model_from_json, Model
    from keras.layers import Dense
    from keras.callbacks import ModelCheckpoint
    folder = tempfile.mkdtemp()
    def make():
        model = Sequential()
        model.add(Dense(2, input_dim=3, kernel_initializer="normal", name="one"))
        model.compile("adam", "mse")
        return model
    model, x = make(), np.ones((4, 3))
    checkpoint = ModelCheckpoint(folder + "/w-{epoch:02d}.hdf5", save_weights_only=True, period=1)
    model.fit(x, np.ones((4, 2)), epochs=1, verbose=0, callbacks=[checkpoint])
    other = make()
    other.load_weights(folder + "/w-01.hdf5")
    assert np.allclose(other.predict(x), model.predict(x))
    model.save_weights(folder + "/weights.h5")
    third = model_from_json(model.to_json())
    third.load_weights(folder + "/weights.h5")
    assert np.allclose(third.predict(x), model.predict(x)) and third.predict_classes(x).shape == (4,)
    model.save(folder + "/all.h5")
    again = load_model(folder + "/all.h5")
    again.fit(x, np.ones((4, 2)), nb_epoch=1, verbose=0)
    assert isinstance(again, Sequential) and isinstance(again, Model)
""",
)
program(
    "KerasClassifier's metric functions of one's own",
    """
    import keras.backend as K
    from keras.models import Sequential
    from keras.layers import Dense
    def recall(y_true, y_pred):
        tp = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
        return tp / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())
    def dice_loss(y_true, y_pred):
        y_true, y_pred = K.flatten(y_true), K.flatten(y_pred)
        return 1 - (2.0 * K.sum(y_true * y_pred) + 1) / (K.sum(y_true) + K.sum(y_pred) + 1)
    def focal(y_true, y_pred):
        import tensorflow as tf
        pt = tf.where(tf.equal(y_true, 1), y_pred, tf.ones_like(y_pred))
        return -K.mean(K.pow(1.0 - pt, 2.0) * K.log(K.clip(pt, 1e-3, 0.999)))
    for loss in (dice_loss, focal):
        model = Sequential([Dense(2, input_dim=3, activation="sigmoid")])
        model.compile(optimizer="adam", loss=loss, metrics=[recall, "acc"])
        h = model.fit(np.ones((4, 3)), np.ones((4, 2)), epochs=1, verbose=0)
        assert "recall" in h.history and model.metrics_names[0] == "loss"
""",
)
program(
    "tf.keras: mnist for beginners",
    """
    import tensorflow as tf
    tf.random.set_seed(1)
    model = tf.keras.models.Sequential([
        tf.keras.layers.Flatten(input_shape=(4, 4)),
        tf.keras.layers.Dense(8, activation=tf.nn.relu),
        tf.keras.layers.Dropout(0.2),
        tf.keras.layers.Dense(3),
    ])
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=tf.keras.optimizers.Adam(lr=0.01), loss=loss, metrics=["accuracy"])
    x, y = np.random.rand(16, 4, 4), np.random.randint(0, 3, 16)
    data = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(16).batch(4).prefetch(tf.data.AUTOTUNE)
    model.fit(data, epochs=1, verbose=0)
    probability = tf.keras.Sequential([model, tf.keras.layers.Softmax()])
    assert np.allclose(tf.reduce_sum(probability(x[:2]), axis=1), 1.0, atol=1e-5)
    assert tf.argmax(tf.constant([1.0, 3.0])) == 1 and not tf.config.list_physical_devices("GPU")
""",
)
program(
    "tensorflow.keras: imports of every kind",
    """
    from tensorflow import keras
    from tensorflow.keras import layers, backend as K
    from tensorflow.keras.models import Model, Sequential
    from tensorflow.keras.layers import Dense, Input, LSTM
    from tensorflow.keras.layers.experimental.preprocessing import Rescaling
    from tensorflow.keras.optimizers import Adam, SGD
    from tensorflow.keras.preprocessing.text import Tokenizer
    from tensorflow.keras.preprocessing.sequence import pad_sequences, TimeseriesGenerator
    from tensorflow.keras.utils import to_categorical
    from tensorflow.keras.callbacks import EarlyStopping
    from tensorflow.python.keras.layers import Dropout
    import tensorflow.keras.backend as KB
    x = Input(shape=(3,))
    model = Model(inputs=x, outputs=layers.Dense(2)(Dropout(0.1)(x)))
    model.compile(Adam(learning_rate=0.01, decay=1e-3), "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), epochs=2, verbose=0, callbacks=[EarlyStopping(monitor="loss")])
    assert KB is K and keras.__version__.startswith("2.") and TimeseriesGenerator
""",
)
program(
    "tf.compat.v1 and sessions",
    """
    import tensorflow as tf
    from keras import backend as K
    from keras.backend import set_session
    config = tf.ConfigProto()
    config.gpu_options.allow_growth = True
    set_session(tf.Session(config=config))
    tf.compat.v1.disable_eager_execution()
    tf.logging.set_verbosity(tf.logging.ERROR)
    x = K.variable(np.array([[1.0, 2.0], [3.0, 4.0]]))
    K.set_value(x, K.get_value(x) * 2)
    assert K.eval(K.sum(x)) == 20 and K.int_shape(x) == (2, 2) and K.ndim(x) == 2
    assert K.backend() == "tensorflow"
""",
)
program(
    "tf.keras: a model as a class",
    """
    import tensorflow as tf
    class Net(tf.keras.Model):
        def __init__(self):
            super(Net, self).__init__(name="net")
            self.dense = tf.keras.layers.Dense(4, activation="relu")
            self.out = tf.keras.layers.Dense(1)
        @tf.function
        def call(self, inputs, training=False):
            return self.out(tf.concat([self.dense(inputs), tf.cast(inputs, tf.float32)], axis=-1))
    net = Net()
    net.compile(optimizer="adam", loss="mse", metrics=["mae"])
    net.fit(np.ones((4, 3), "float32"), np.ones((4, 1)), epochs=1, verbose=0)
    assert net.predict(np.ones((2, 3))).shape == (2, 1)
""",
)
program(
    "grad_cam: gradients within a graph",
    """
    from keras.models import Model
    from keras.layers import Input, Conv2D, GlobalAveragePooling2D, Dense
    import keras.backend as K
    x = Input((6, 6, 1))
    last = Conv2D(3, 3, activation="relu", name="last")(x)
    model = Model(x, Dense(2, activation="softmax")(GlobalAveragePooling2D()(last)))
    class_output = model.output[:, 0]
    last_conv_layer = model.get_layer("last")
    grads = K.gradients(class_output, last_conv_layer.output)[0]
    pooled = K.mean(grads, axis=(0, 1, 2))
    iterate = K.function([model.input], [pooled, last_conv_layer.output[0]])
    weights, maps = iterate([np.random.rand(1, 6, 6, 1)])
    assert weights.shape == (3,) and maps.shape == (4, 4, 3)
""",
)
program(
    "activations of a layer, by learning phase",
    """
    from keras.models import Sequential
    from keras.layers import Dense, Dropout
    from keras import backend as K
    model = Sequential([Dense(50, input_dim=3, bias_initializer="ones"), Dropout(0.5)])
    get = K.function([model.layers[0].input, K.learning_phase()], [model.layers[1].output])
    x = np.ones((1, 3))
    assert not (get([x, 0])[0] == 0).any() and (get([x, 1])[0] == 0).any()
""",
)
program(
    "transfer learning",
    """
    from keras.applications.vgg16 import VGG16, preprocess_input
    from keras.applications import MobileNet
    from keras.layers import Dense, GlobalAveragePooling2D
    from keras.models import Model
    from keras.optimizers import SGD
    base_model = MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25)
    x = GlobalAveragePooling2D()(base_model.output)
    model = Model(input=base_model.input, output=Dense(2, activation="softmax")(x))
    for layer in base_model.layers:
        layer.trainable = False
    model.compile(optimizer=SGD(lr=0.0001, momentum=0.9), loss="categorical_crossentropy")
    assert len(model.trainable_weights) == 2 and VGG16
    batches = (np.random.rand(2, 32, 32, 3) for _ in range(2))
    assert base_model.predict_generator(batches, 2).shape[0] == 4
    from keras.utils.layer_utils import convert_all_kernels_in_model
    kernel = base_model.get_weights()[0]
    convert_all_kernels_in_model(base_model)
    np.testing.assert_array_equal(base_model.get_weights()[0], kernel[::-1, ::-1])
    assert preprocess_input(np.ones((1, 4, 4, 3))).shape == (1, 4, 4, 3)
""",
)
program(
    "merging of Keras 1 and pooling",
    """
    from keras.layers import Input, Convolution1D, MaxPooling1D, merge, Dense, Flatten
    from keras.layers import TimeDistributedDense, GRU, UpSampling1D
    from keras.models import Model
    a, b = Input((8, 3)), Input((8, 3))
    c = Convolution1D(nb_filter=4, filter_length=3, border_mode="same", subsample_length=1)(a)
    d = TimeDistributedDense(4)(b)
    for mode in ("sum", "mul", "ave", "max", "concat"):
        merged = merge([c, d], mode=mode, concat_axis=-1)
    x = MaxPooling1D(pool_length=2, stride=2)(merged)
    x = GRU(output_dim=3, inner_activation="hard_sigmoid", init="uniform")(x)
    model = Model([a, b], Dense(1)(x))
    assert model.predict([np.ones((2, 8, 3))] * 2).shape == (2, 1)
""",
)
program(
    "locally connected layers and rare activations",
    """
    from keras.models import Sequential
    from keras.layers import LocallyConnected1D, LocallyConnected2D, ThresholdedReLU, Flatten
    from keras.layers.advanced_activations import PReLU, ELU
    from keras.layers.noise import GaussianNoise
    model = Sequential()
    model.add(LocallyConnected2D(2, (3, 3), input_shape=(6, 6, 1)))
    model.add(ThresholdedReLU(theta=0.1))
    model.add(PReLU())
    model.add(ELU(alpha=0.5))
    model.add(GaussianNoise(sigma=0.1))
    model.add(Flatten())
    model.compile("sgd", "mse")
    assert model.output_shape == (None, 32) and model.predict(np.ones((2, 6, 6, 1))).shape == (2, 32)
    line = Sequential([LocallyConnected1D(2, 3, input_shape=(6, 1))])
    assert line.output_shape == (None, 4, 2)
""",
)
program(
    "losses with weights, several outputs",
    """
    from keras.layers import Input, Dense, concatenate
    from keras.models import Model
    a, b = Input(shape=(3,), name="main_input"), Input(shape=(2,), name="aux_input")
    x = Dense(4)(a)
    aux = Dense(1, activation="sigmoid", name="aux_output")(x)
    main = Dense(1, activation="sigmoid", name="main_output")(concatenate([x, b]))
    model = Model(inputs=[a, b], outputs=[main, aux])
    model.compile(optimizer="rmsprop", loss={"main_output": "binary_crossentropy", "aux_output": "binary_crossentropy"},
                  loss_weights={"main_output": 1.0, "aux_output": 0.2}, metrics=["accuracy"])
    h = model.fit({"main_input": np.ones((4, 3)), "aux_input": np.ones((4, 2))},
                  {"main_output": np.ones((4, 1)), "aux_output": np.ones((4, 1))}, epochs=1, batch_size=2, verbose=0)
    assert h.history["main_output_acc"] == h.history["main_output_accuracy"]
""",
)
program(
    "time series with a generator",
    """
    from keras.preprocessing.sequence import TimeseriesGenerator
    from keras.models import Sequential
    from keras.layers import LSTM, Dense
    series = np.arange(20.0).reshape(20, 1)
    generator = TimeseriesGenerator(series, series, length=3, batch_size=4)
    model = Sequential()
    model.add(LSTM(4, activation="relu", input_shape=(3, 1)))
    model.add(Dense(1))
    model.compile(optimizer="adam", loss="mse")
    model.fit_generator(generator, epochs=1, verbose=0)
    assert len(generator) == 5
""",
)
program(
    "word2vec by skipgrams",
    """
    from keras.preprocessing import text
    from keras.preprocessing.sequence import skipgrams
    from keras.layers import Dot, Input, Embedding, Reshape, Dense
    from keras.models import Model
    tokenizer = text.Tokenizer()
    tokenizer.fit_on_texts(["the quick brown fox"])
    wids = [tokenizer.word_index[w] for w in text.text_to_word_sequence("The quick brown fox.")]
    pairs, labels = skipgrams(wids, vocabulary_size=5, window_size=2)
    word, context = Input((1,)), Input((1,))
    embedding = Embedding(5, 4, embeddings_initializer="glorot_uniform", input_length=1)
    merged = Dot(axes=1)([Reshape((4,))(embedding(word)), Reshape((4,))(embedding(context))])
    model = Model([word, context], Dense(1, activation="sigmoid")(merged))
    model.compile(loss="mean_squared_error", optimizer="rmsprop")
    pairs = np.array(pairs)
    model.train_on_batch([pairs[:, :1], pairs[:, 1:]], np.array(labels, "float32"))
""",
)
program(
    "deep Q learning",
    """
    from keras.models import Sequential
    from keras.layers import Dense
    from keras.optimizers import Adam
    model = Sequential()
    model.add(Dense(4, input_dim=4, activation="relu"))
    model.add(Dense(2, activation="linear"))
    model.compile(loss="mse", optimizer=Adam(lr=0.001))
    state = np.ones((1, 4))
    target = model.predict(state)
    target[0][1] = 1.0
    model.fit(state, target, epochs=1, verbose=0)
    other = Sequential([Dense(4, input_dim=4), Dense(2)])
    other.set_weights(model.get_weights())
    assert np.argmax(model.predict(state)[0]) in (0, 1)
""",
)
program(
    "variational autoencoder whose loss uses tensors of the graph",
    """
    from keras.layers import Input, Dense, Lambda
    from keras.models import Model
    from keras import backend as K, objectives
    x = Input(batch_shape=(8, 6))
    h = Dense(4, activation="relu")(x)
    mean, log_var = Dense(2)(h), Dense(2)(h)
    def sample(args):
        m, v = args
        return m + K.exp(v / 2) * K.random_normal(shape=(8, 2), mean=0., std=1.)
    z = Lambda(sample, output_shape=(2,))([mean, log_var])
    decoded = Dense(6, activation="sigmoid")(z)
    def kl():
        return -0.5 * K.sum(1 + log_var - K.square(mean) - K.exp(log_var), axis=-1)
    def vae_loss(x, decoded):
        return 6 * objectives.binary_crossentropy(x, decoded) + kl()
    model = Model(x, decoded)
    model.compile(optimizer="rmsprop", loss=vae_loss)
    data = np.random.rand(16, 6)
    h = model.fit(data, data, shuffle=True, nb_epoch=100, batch_size=8, validation_data=(data, data), verbose=0)
    assert np.mean(h.history["loss"][-20:]) < np.mean(h.history["loss"][:20])
    m, v = (Model(x, t).predict(data, batch_size=8) for t in (mean, log_var))
    kl_by_hand = np.mean(-0.5 * np.sum(1 + v - m**2 - np.exp(v), -1))
    model.compile(optimizer="rmsprop", loss=lambda x, decoded: kl())  # no sample is in it
    np.testing.assert_allclose(model.evaluate(data, data, batch_size=8, verbose=0), kl_by_hand, rtol=1e-4)
""",
)
program(
    "a layer and a Lambda that use tensors of the graph",
    """
    from keras.layers import Input, Dense, Lambda, Layer
    from keras.models import Model
    from keras import backend as K
    x = Input(shape=(6,))
    h = Dense(3)(x)
    gate = Dense(3, activation="sigmoid")(x)
    gated = Lambda(lambda t: t * gate)(h)
    y = Dense(6)(gated)
    class LossLayer(Layer):
        def __init__(self, **kwargs):
            self.is_placeholder = True
            super(LossLayer, self).__init__(**kwargs)
        def call(self, inputs):
            x, y = inputs
            self.add_loss(K.mean(K.square(x - y)) + 0 * K.sum(gate), inputs=inputs)
            return x
    model = Model(x, LossLayer()([x, y]))
    model.compile(optimizer="sgd", loss=None)
    data = np.random.rand(16, 6)
    first, last = (model.fit(data, batch_size=16, epochs=n, verbose=0).history["loss"][-1] for n in (1, 30))
    assert 0 < last < first
    a, g, b = Model(x, [h, gate, gated]).predict(data)
    np.testing.assert_allclose(a * g, b, rtol=1e-5)
""",
)
program(
    "numbers of numpy, batch sizes of first layers",
    """
    from keras.models import Sequential
    from keras.layers import Dense, LSTM
    y = np.random.randint(0, 3, 8)
    model = Sequential()
    model.add(LSTM(np.int64(5), input_shape=(4, 2), batch_size=4, return_sequences=False, stateful=True))
    model.add(Dense(np.max(y) + 1, activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd")
    model.fit(np.random.rand(8, 4, 2), y, batch_size=4, nb_epoch=1, shuffle=False, verbose=0)
    assert model.input_shape == (4, 4, 2)
    model.reset_states()
""",
)
program(
    "branches merged by Merge of Keras 1",
    """
    from keras.models import Sequential
    from keras.layers.core import Dense, Merge, Permute, Activation
    from keras.layers.embeddings import Embedding
    from keras.regularizers import activity_l1, l1l2
    left, right = Sequential(), Sequential()
    left.add(Embedding(input_dim=10, output_dim=4, input_length=6))
    right.add(Embedding(input_dim=10, output_dim=4, input_length=3))
    match = Sequential()
    match.add(Merge([left, right], mode="dot", dot_axes=[(2), (2)]))
    encoder = Sequential()
    encoder.add(Embedding(input_dim=10, output_dim=3, input_length=6))
    response = Sequential()
    response.add(Merge([match, encoder], mode="sum"))
    response.add(Permute((2, 1)))
    answer = Sequential()
    answer.add(Merge([response, right], mode="concat", concat_axis=-1))
    answer.add(Dense(5, activation="softmax", activity_regularizer=activity_l1(1e-4), W_regularizer=l1l2(l1=1e-4, l2=1e-4)))
    answer.compile(optimizer="rmsprop", loss="categorical_crossentropy", metrics=["accuracy"])
    story, query = np.random.randint(0, 10, (8, 6)), np.random.randint(0, 10, (8, 3))
    y = np.eye(5)[np.random.randint(0, 5, (8, 3))]
    h = answer.fit([story, query, story, query], y, batch_size=4, nb_epoch=2, verbose=0)
    assert len(h.history["acc"]) == 2
    assert answer.predict([story, query, story, query]).shape == (8, 3, 5)
    assert len(answer.get_weights()) == 5
""",
)
program(
    "estimators of scikit-learn",
    """
    from keras.models import Sequential
    from keras.layers import Dense
    from keras.wrappers.scikit_learn import KerasClassifier, KerasRegressor
    from keras.engine.training import slice_X
    from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    def make(units=4, loss="categorical_crossentropy"):
        model = Sequential()
        model.add(Dense(units, input_dim=3, init="uniform", activation="relu"))
        model.add(Dense(2, activation="softmax"))
        model.compile(loss=loss, optimizer="adam", metrics=["accuracy"])
        return model
    x = np.random.randn(24, 3)
    y = np.where(x[:, 0] > 0, "yes", "no")
    scores = cross_val_score(KerasClassifier(build_fn=make, nb_epoch=2, batch_size=8, verbose=0), x, y, cv=StratifiedKFold(n_splits=2))
    assert scores.shape == (2,) and np.isfinite(scores).all()
    search = GridSearchCV(KerasClassifier(make, batch_size=8, verbose=0), {"units": [2, 3], "epochs": [1]}, cv=2, n_jobs=1)
    search.fit(x, y)
    assert search.best_params_["units"] in (2, 3) and set(search.predict(x)) <= {"yes", "no"}
    def line():
        model = Sequential([Dense(1, input_dim=3)])
        model.compile(loss="mean_squared_error", optimizer="sgd")
        return model
    pipe = make_pipeline(StandardScaler(), KerasRegressor(build_fn=line, epochs=2, verbose=0))
    pipe.fit(x, x[:, 0])
    assert pipe.predict(x).shape == (24,) and pipe.score(x, x[:, 0]) <= 0
    assert KerasClassifier(make).fit(x, y, epochs=1, verbose=0).history["loss"]
    assert [len(a) for a in slice_X([x, y], 4, 10)] == [6, 6] and len(slice_X(x, 20)) == 4
    try:
        KerasClassifier(make, unit=3)
        raise AssertionError
    except ValueError as error:
        assert "not a legal parameter" in str(error)
""",
)
program(
    "layers of Keras 1 that are gone, bases of one's own",
    """
    import keras
    import keras.backend.tensorflow_backend as KTF
    from keras.engine import Layer, InputSpec, Model, Input, merge, get_source_inputs
    from keras.layers import Dense
    from keras.layers.core import Highway, MaxoutDense
    from keras.layers.merge import _Merge
    from keras.models import Sequential, model_from_config
    from keras.applications.imagenet_utils import _obtain_input_shape
    from keras.applications.mobilenet import relu6, DepthwiseConv2D
    from keras import backend as K
    class Between(_Merge):
        def _merge_function(self, inputs):
            alpha = K.random_uniform((4, 1))
            return alpha * inputs[0] + (1 - alpha) * inputs[1]
    a, b = Input((3,)), Input((3,))
    c = Between()([a, b])
    assert get_source_inputs(c) == [a, b]
    ones = np.ones((4, 3))
    between = Model([a, b], c)
    np.testing.assert_allclose(between.predict([ones, ones]), ones, rtol=1e-5)
    first, second = (between.predict([ones, 0 * ones]) for _ in range(2))
    assert not np.array_equal(first, second)  # other numbers in each call
    assert (first == first[:, :1]).all() and len(set(first[:, 0])) == 4
    model = Sequential()
    model.add(Highway(activation="relu", input_dim=5, W_regularizer="l2"))
    model.add(MaxoutDense(4, nb_feature=3))
    x = np.random.randn(6, 5)
    W, W_carry, b, b_carry, M, m = model.get_weights()
    assert (b_carry == -2).all() and (M.shape, m.shape) == ((3, 5, 4), (3, 4))
    gate = 1 / (1 + np.exp(-(x @ W_carry + b_carry)))
    h = gate * np.maximum(x @ W + b, 0) + (1 - gate) * x
    np.testing.assert_allclose(model.predict(x), np.max(np.einsum("bi,fio->bfo", h, M) + m, 1), rtol=1e-4, atol=1e-5)
    model.compile("sgd", "mse")
    model.fit(x, np.zeros((6, 4)), nb_epoch=1, verbose=0)
    assert _obtain_input_shape((64, 64, 3), default_size=224, min_size=48, data_format="channels_last", require_flatten=False) == (64, 64, 3)
    assert K.eval(relu6(K.variable([7.0, -1.0]))).tolist() == [6, 0] and DepthwiseConv2D and InputSpec and Layer and KTF
    x, kernel = np.random.rand(2, 5, 3), np.random.rand(3, 9, 4)
    y = K.eval(K.local_conv1d(K.variable(x), K.variable(kernel), (3,), (1,)))
    np.testing.assert_allclose(y[:, 1], x[:, 1:4].reshape(2, 9) @ kernel[1], rtol=1e-5)
    x, kernel = np.random.rand(2, 4, 5, 3), np.random.rand(2, 12, 4)
    y = K.eval(K.local_conv2d(K.variable(x), K.variable(kernel), (2, 2), (2, 2), (2, 1)))
    np.testing.assert_allclose(y[:, 1, 0], x[:, 2:4, :2].reshape(2, 12) @ kernel[1], rtol=1e-5)
    with K.name_scope("part"):
        assert K.cast_to_floatx(np.arange(3)).dtype == "float32" and not K.is_sparse(K.variable([1.0]))
    assert merge and keras
""",
)
program(
    "rows of an HDF5 file, images changed one by one",
    """
    import h5py, tempfile, os
    from keras.models import Sequential
    from keras.layers import Dense
    from keras.utils.io_utils import HDF5Matrix
    from keras.preprocessing import image
    path = os.path.join(tempfile.mkdtemp(), "data.h5")
    x, y = np.random.rand(20, 4), np.random.rand(20, 1)
    with h5py.File(path, "w") as file:
        file["x"], file["y"] = x, y
    some = HDF5Matrix(path, "x", start=2, end=18, normalizer=lambda rows: rows * 2)
    assert len(some) == 16 and some.shape == (16, 4) and some.ndim == 2 and some.size == 64
    np.testing.assert_array_equal(some[[3, 0, 3]], 2 * x[[5, 2, 5]])
    np.testing.assert_array_equal(some[4:6], 2 * x[6:8])
    np.testing.assert_array_equal(some[-1], 2 * x[17])
    model = Sequential([Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    model.fit(some, HDF5Matrix(path, "y", 2, 18), batch_size=8, shuffle="batch", verbose=0)
    assert model.predict(HDF5Matrix(path, "x")).shape == (20, 1)
    picture = np.random.rand(3, 8, 10) * 255
    for name, args in dict(random_rotation=(45,), random_shift=(0.2, 0.2), random_shear=(20,), random_zoom=((0.5, 1.5),), random_channel_shift=(30,)).items():
        assert getattr(image, name)(picture, *args).shape == picture.shape
        assert not np.array_equal(getattr(image, name)(picture, *args), picture)
    assert image.random_brightness(picture.transpose(1, 2, 0), (0.5, 0.9)).max() < 255
    still = image.random_rotation(picture.transpose(1, 2, 0), 0, row_axis=0, col_axis=1, channel_axis=2)
    np.testing.assert_array_equal(still, picture.transpose(1, 2, 0))
""",
)

OLD = pathlib.Path(__file__).parent / "old"
for path in sorted(OLD.glob("*.py")):
    program(path.stem, path.read_text())
