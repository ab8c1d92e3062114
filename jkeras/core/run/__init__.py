"""Running a layer on given values, by hand or on symbolic tensors; what looks on, and errors."""
