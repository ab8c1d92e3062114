"""A regressor in a pipeline of scikit-learn's, and a Sequence of one's own."""

import numpy as np
from keras.models import Sequential, model_from_json
from keras.layers import Dense
from keras.utils import np_utils, Sequence
from keras.wrappers.scikit_learn import KerasRegressor  # hand: from keras.wrappers import SKLearnRegressor as KerasRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import StandardScaler
from sklearn.pipeline import Pipeline

rows = np.random.RandomState(7)
X, Y = rows.rand(30, 5), rows.rand(30)


def baseline_model():  # then: def baseline_model(X=None, y=None):
    model = Sequential()
    model.add(Dense(5, input_dim=5, kernel_initializer="normal", activation="relu"))
    model.add(Dense(1, kernel_initializer="normal"))
    model.compile(loss="mean_squared_error", optimizer="adam")
    return model


estimators = [("standardize", StandardScaler())]
regressor = KerasRegressor(build_fn=baseline_model, epochs=1, batch_size=5, verbose=0)  # hand: regressor = KerasRegressor(baseline_model, fit_kwargs={'epochs': 1, 'batch_size': 5, 'verbose': 0})
estimators.append(("mlp", regressor))
results = cross_val_score(Pipeline(estimators), X, Y, cv=KFold(n_splits=2))
print(len(results))


class Batches(Sequence):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X[index * 10 : (index + 1) * 10], Y[index * 10 : (index + 1) * 10]


model = model_from_json(baseline_model().to_json())
model.compile("sgd", "mse")
model.fit_generator(Batches(), steps_per_epoch=3, epochs=1, workers=1, use_multiprocessing=False, verbose=0)
print(model.evaluate_generator(Batches(), steps=3) >= 0, np_utils.to_categorical([0, 1]).shape)
