"""Convolutions on digits, as of Keras 2.0."""

import keras
from keras.models import Sequential
from keras.layers import Dense, Dropout, Flatten
from keras.layers import Conv2D, MaxPooling2D
from keras.callbacks import ModelCheckpoint, EarlyStopping
from keras import backend as K
import numpy as np

batch_size, num_classes, epochs = 16, 10, 1
img_rows, img_cols = 12, 12
x_train = np.random.RandomState(0).rand(32, img_rows, img_cols)
y_train = np.arange(32) % 10
if K.image_data_format() == "channels_first":
    x_train = x_train.reshape(x_train.shape[0], 1, img_rows, img_cols)
    input_shape = (1, img_rows, img_cols)
else:
    x_train = x_train.reshape(x_train.shape[0], img_rows, img_cols, 1)
    input_shape = (img_rows, img_cols, 1)
y_train = keras.utils.to_categorical(y_train, num_classes)
model = Sequential()
model.add(Conv2D(4, kernel_size=(3, 3), activation="relu", input_shape=input_shape))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Dropout(0.25))
model.add(Flatten())
model.add(Dense(num_classes, activation="softmax"))
model.compile(loss=keras.losses.categorical_crossentropy, optimizer=keras.optimizers.Adadelta(lr=1.0), metrics=["acc"])
checkpoint = ModelCheckpoint("best.hdf5", monitor="val_acc", save_best_only=True, mode="max")
history = model.fit(x_train, y_train, batch_size=batch_size, epochs=epochs, verbose=0, validation_data=(x_train, y_train), callbacks=[checkpoint, EarlyStopping(monitor="val_acc", patience=3)])
print("accuracy", history.history["acc"][-1] >= 0, history.history["val_acc"][-1] >= 0)
score = model.evaluate(x_train, y_train, verbose=0)
print(len(score), model.layers[0].output_shape)  # hand: print(len(score), model.layers[0].output.shape)
