"""One pass over a source before step 1, one file per form."""
