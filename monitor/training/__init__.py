"""How the learned parts of the scorer are made: ``python -m monitor.training --help``."""
