"""Texts as vectors: the port of every model, the fast one, and how a database keeps them."""
