"""Labels as people write them: classes, sets, numbers, and what is asked about."""
