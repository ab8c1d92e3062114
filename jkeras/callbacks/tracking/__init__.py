"""Trainings told to services that keep track of them: one file for each service."""
