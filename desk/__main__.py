"""``python -m desk`` is the command line."""

from desk.cli import app

app()
