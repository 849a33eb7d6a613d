"""Fine-tuning methods: each a function on a model, or a callback."""
