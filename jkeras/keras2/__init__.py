"""Programs for Keras 1, Keras 2 and `tf.keras`, run on jkeras: `install_as_keras(keras2=True)`.

Nothing here is loaded by `import jkeras`.
"""
