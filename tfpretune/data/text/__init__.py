"""Texts to token ids: cleaning, normalization, vocabularies, tokenizers, rows of pairs, windows."""
