"""The model card: what a served model is, for the people who get it."""
