"""Text backbones and their tokenizers."""
