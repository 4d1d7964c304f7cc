"""The coding scheme in people's hands: codebook, situations, lexicon, samples, agreement."""
