"""What serves many texts at once: requests, the queue of them, slots on the device."""
