"""Files, git, the network, memory and signals of the machine; it knows nothing of arrays."""
