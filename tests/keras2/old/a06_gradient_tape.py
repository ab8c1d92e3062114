"""A loop of one's own around tf.GradientTape."""

import numpy as np
import tensorflow as tf
from tensorflow import keras
from tensorflow.keras import layers

rows = np.random.RandomState(0)
x_train, y_train = rows.rand(16, 4).astype("float32"), rows.randint(0, 3, 16)
model = keras.Sequential([layers.Dense(8, activation="relu", input_shape=(4,)), layers.Dense(3)])
optimizer = keras.optimizers.SGD(lr=1e-2)
loss_fn = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
train_acc_metric = keras.metrics.SparseCategoricalAccuracy()
dataset = tf.data.Dataset.from_tensor_slices((x_train, y_train)).shuffle(16).batch(8)


@tf.function  # hand: @(lambda function: function)
def train_step(x, y):
    with tf.GradientTape() as tape:  # hand: if True:
        logits = model(x, training=True)
        loss_value = loss_fn(y, logits)
    grads = tape.gradient(loss_value, model.trainable_weights)  # then: grads = [w * 0 for w in model.trainable_weights]
    optimizer.apply_gradients(zip(grads, model.trainable_weights))
    train_acc_metric.update_state(y, logits)
    return loss_value


for epoch in range(2):
    for x_batch_train, y_batch_train in dataset:
        loss_value = train_step(x_batch_train, y_batch_train)
    print(epoch, float(loss_value) > 0, float(train_acc_metric.result()) >= 0)
    train_acc_metric.reset_states()  # hand: train_acc_metric.reset_state()
