"""The simple models that every result stands beside."""
