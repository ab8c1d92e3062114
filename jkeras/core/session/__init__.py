"""What holds for the session: settings, devices, processes, and random bits of a fixed size."""
