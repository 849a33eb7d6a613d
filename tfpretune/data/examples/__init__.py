"""Records in memory, one file a form."""
