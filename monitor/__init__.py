"""What it means: embeddings, narratives, incitement, spikes and flags."""
