"""Flags: what waits for a person, in which order, and what became of it."""
