"""What users type. Nothing runs it: `test_packaging.py` gives it to a type checker."""

import jax
import numpy as np

import jkeras
from jkeras import Input, Model, Sequential, layers, ops
from jkeras.layers import LSTM, Conv2D, Dense
from jkeras.models import load_model

x = np.zeros((8, 4), "float32")
y = np.zeros((8,), "int32")
model = Sequential(
    [
        Input((4,)),
        Dense(3, activation="relu", kernel_initializer="he_normal"),
        layers.Dropout(0.5),
        layers.Dense(units=2, use_bias=False, name="head", dtype="float32"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.compile(
    optimizer=jkeras.optimizers.Adam(learning_rate=1e-3, clipnorm=1.0),
    loss=jkeras.losses.SparseCategoricalCrossentropy(from_logits=True),
)
history = model.fit(
    x,
    y,
    epochs=2,
    batch_size=4,
    validation_split=0.5,
    callbacks=[jkeras.callbacks.EarlyStopping(patience=2)],
)
print(history.history["loss"][-1])
loss, accuracy = model.evaluate(x, y, verbose=0)
print(model.predict(x).shape)
model.summary()
model.save("m.keras")
again = load_model("m.keras")
inputs = Input(shape=(8, 8, 3))
h = Conv2D(4, 3, padding="same", activation="relu")(inputs)
h = layers.BatchNormalization()(h)
h = layers.add([h, h])
h = layers.GlobalAveragePooling2D()(h)
h = h + 1.0
out = Dense(2)(ops.relu(h))
net = Model(inputs, out, name="net")
print(net.get_layer("dense"), net.trainable_weights[0].shape, net.count_params())
params, state = net.init(jax.random.key(0), np.zeros((1, 8, 8, 3), "float32"))
value, state = net.apply(
    params, state, np.zeros((1, 8, 8, 3), "float32"), training=True, rng=jax.random.key(1)
)
step = jkeras.training.make_train_step(model)


class Mine(jkeras.layers.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(
            shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="w"
        )

    def call(self, x, training=None):
        return ops.matmul(x, self.w)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class MyModel(jkeras.Model):
    def __init__(self):
        super().__init__()
        self.a = Mine(3)

    def call(self, x):
        return self.a(x)


rnn = LSTM(4, return_sequences=True, recurrent_dropout=0.1)
schedule = jkeras.optimizers.schedules.CosineDecay(1e-3, 100)
opt = jkeras.optimizers.SGD(schedule, momentum=0.9)
auc = jkeras.metrics.AUC(num_thresholds=50)
auc.update_state([0, 1], [0.2, 0.7])
print(auc.result())
jkeras.utils.set_random_seed(1)
a = jkeras.random.normal((2, 3), seed=1)
b = ops.concatenate([a, a], axis=-1)
print(ops.shape(b), ops.convert_to_numpy(b).mean())
jkeras.config.set_dtype_policy("mixed_bfloat16")
(xt, yt), _ = jkeras.datasets.digits.load_data()
print(xt.shape, jkeras.__version__)
base = jkeras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
base.trainable = False
c = layers.Conv2D(2, (3, 3), strides=(2, 2), name="c")(inputs)
d = layers.MultiHeadAttention(num_heads=2, key_dim=4)(h, h)
ck = jkeras.callbacks.ModelCheckpoint("a.keras", save_best_only=True, save_freq=100)
es = jkeras.callbacks.EarlyStopping(min_delta=1e-3)
lr = jkeras.callbacks.LearningRateScheduler(lambda epoch: 0.1**epoch)
n = ops.mean(a, axis=(0, 1), keepdims=True)
labels = jkeras.utils.to_categorical(y, num_classes=3)
layers.TimeDistributed(Dense(1))
layers.Bidirectional(LSTM(1), merge_mode=None)
jkeras.install_as_keras()
k = ops.conv(
    np.ones((1, 4, 4, 3)), np.ones((2, 2, 3, 1)), strides=(2, 2), padding="same", dilation_rate=1
)
k = ops.softmax(k, axis=(-1, -2))
k = ops.sum(k * 2.0, axis=-1) + ops.max(k) - ops.cast(y, "float32")
k = ops.where(k > 0, k, ops.zeros_like(k))
k = ops.image.resize(k, (8, 8), interpolation="bilinear")
k = ops.reshape(k, (-1, 2))
u = jkeras.random.uniform(
    (2,), minval=a, maxval=2, dtype="float32", seed=jkeras.random.SeedGenerator(1)
)
v = ops.mean(ops.square(a - b)) + jkeras.losses.mean_squared_error(a, b)
jkeras.activations.relu(a, max_value=6)
