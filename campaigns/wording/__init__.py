"""The words of one text: how each platform counts and shows them, the bytes approval speaks of."""
