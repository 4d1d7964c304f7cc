"""What becomes of a published message: looked at, put right, taken down, kept on our own page."""
