"""Several tasks or domains at a time."""
