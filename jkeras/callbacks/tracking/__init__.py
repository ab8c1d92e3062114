"""Trainings reported to services that track runs: one file for each service."""
