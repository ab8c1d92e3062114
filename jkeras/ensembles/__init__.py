"""Several trainings of one model as one: the members of an ensemble on a leading axis."""
