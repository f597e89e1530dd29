"""Pure values and rules: no async, clock, randomness or I/O."""
