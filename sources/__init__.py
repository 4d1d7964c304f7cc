"""What was said: platforms, feeds, posts and removals. Knows nothing of narratives."""
