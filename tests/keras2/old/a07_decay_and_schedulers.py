"""The usual recipe of Keras 2: momentum, decay and a scheduler."""

import numpy as np
import keras
from keras.models import Sequential
from keras.layers import Dense, Activation, BatchNormalization, Convolution2D, Flatten
from keras.layers.advanced_activations import LeakyReLU
from keras.optimizers import SGD
from keras.callbacks import LearningRateScheduler, ReduceLROnPlateau
from keras.regularizers import l2
from keras.preprocessing.image import ImageDataGenerator  # hand: pass
import keras.backend as K


def lr_schedule(epoch):
    return 0.1 * 0.5**epoch


rows = np.random.RandomState(0)
x, y = rows.rand(16, 8, 8, 3), keras.utils.to_categorical(np.arange(16) % 4, 4)
model = Sequential()
model.add(Convolution2D(4, 3, 3, border_mode="same", init="he_normal", W_regularizer=l2(1e-4), input_shape=(8, 8, 3)))
model.add(BatchNormalization())
model.add(LeakyReLU(alpha=0.1))
model.add(Flatten())
model.add(Dense(4))
model.add(Activation("softmax"))
sgd = SGD(lr=0.1, decay=1e-6, momentum=0.9, nesterov=True)  # hand: sgd = SGD(learning_rate=0.1, momentum=0.9, nesterov=True)
model.compile(loss="categorical_crossentropy", optimizer=sgd, metrics=["accuracy"])
callbacks = [LearningRateScheduler(lr_schedule), ReduceLROnPlateau(monitor="val_acc", factor=0.5, patience=1, epsilon=1e-3)]
datagen = ImageDataGenerator(horizontal_flip=True, width_shift_range=0.1)  # hand: datagen = keras.layers.RandomFlip('horizontal')
model.fit_generator(datagen.flow(x, y, batch_size=8), steps_per_epoch=2, epochs=2, verbose=0,  # then: model.fit(np.asarray(datagen(x)), y, batch_size=8, epochs=2, verbose=0,
                    validation_data=(x, y), callbacks=callbacks)
K.set_value(model.optimizer.lr, 0.01)  # hand: model.optimizer.learning_rate = 0.01
print(round(float(K.get_value(model.optimizer.lr)), 4))
