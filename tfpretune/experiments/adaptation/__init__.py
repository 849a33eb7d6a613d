"""Domain adaptation: domains, methods, trials."""
