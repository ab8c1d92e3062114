"""Two backbones and their features, from one set of weights."""

import keras
import kimm
import numpy as np

keras.utils.set_random_seed(0)
x = np.random.default_rng(0).uniform(size=(1, 64, 64, 3)).astype("float32")
for name in ("MobileNetV3W050Small", "ResNet18"):
    cls = getattr(kimm.models, name)
    model = cls(input_shape=(64, 64, 3), weights=None, classes=10)
    weights = np.random.default_rng(1)
    model.set_weights([np.abs(weights.normal(size=w.shape)) * 0.05 for w in model.weights])
    found = np.array(model(x)[0])
    print(name, model.count_params(), int(found.argmax()), round(float(found.max()), 4))
features = kimm.models.ResNet18(
    input_shape=(64, 64, 3), weights=None, include_top=False, feature_extractor=True
)
found = features.predict(x, verbose=0)
print("features", {name: tuple(part.shape) for name, part in sorted(found.items())})
