"""Files to records, with every problem named."""
