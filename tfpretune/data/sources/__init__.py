"""What a line of text names, opened, one file per form."""
