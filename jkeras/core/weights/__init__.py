"""Variables and values by variable: who owns them, and what types, keys and files they have."""
