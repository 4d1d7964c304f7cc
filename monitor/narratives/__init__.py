"""Narratives: posts placed and looked at again, what people correct, what a page tells."""
