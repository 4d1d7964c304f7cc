"""Drafting: messages and their versions, and what is written beside them."""
