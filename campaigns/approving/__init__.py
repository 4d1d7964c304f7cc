"""A leader's word: on one version, or beforehand for an emergency."""
