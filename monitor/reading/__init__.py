"""What one post says: language, hidden words, incitement with its reasons, and the readers."""
