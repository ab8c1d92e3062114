"""What a program takes before it is run: memory, operations, what devices send one another."""
