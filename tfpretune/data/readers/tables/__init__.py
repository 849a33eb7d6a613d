"""Tables to records: CSV, JSON lines and JSON arrays, Parquet; which column is what."""
