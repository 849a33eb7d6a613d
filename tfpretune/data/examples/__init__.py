"""Records in memory, one file per form."""
