"""What is inside a network: functions of layers, and several GPUs."""

import numpy as np
from keras.models import Model, Sequential
from keras.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input
from keras.utils import multi_gpu_model  # hand: pass
from keras import backend as K

inputs = Input(shape=(8, 8, 3))
x = Conv2D(4, (3, 3), activation="relu", name="conv")(inputs)
x = GlobalAveragePooling2D()(x)
outputs = Dense(2, activation="softmax")(x)
model = Model(inputs=inputs, outputs=outputs)
parallel = multi_gpu_model(model, gpus=2)  # hand: parallel = model
parallel.compile("adam", "categorical_crossentropy")
images = np.random.RandomState(0).rand(4, 8, 8, 3)
get_activations = K.function([model.layers[0].input, K.learning_phase()], [model.layers[1].output])  # hand: get_activations = Model(model.inputs, model.layers[1].output)
print(np.asarray(get_activations([images, 0])[0]).shape)  # then: print(np.asarray(get_activations(images)).shape)
grads = K.gradients(model.output[:, 0], model.get_layer("conv").output)  # hand: grads = []
iterate = K.function([model.input], grads)  # hand: iterate = lambda inputs: []
print(len(iterate([images])))
for layer in model.layers:
    print(layer.name, layer.get_output_at(0).shape)  # hand: print(layer.name, layer.output.shape)
top = Sequential()
top.add(Flatten(input_shape=model.layers[1].output_shape[1:]))  # hand: top.add(Flatten(input_shape=model.layers[1].output.shape[1:]))
top.add(Dense(2))
print(top.count_params())
