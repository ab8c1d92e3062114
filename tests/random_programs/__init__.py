"""Random programs for Keras, run there and here: what one of them makes and the other does not."""
