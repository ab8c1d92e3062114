"""Stands in for `keras.src.utils.tracking`, of which keras-rs takes one decorator; jkeras tracks by attribute alone."""


def no_automatic_dependency_tracking(function):
    return function
