"""What stands on the command line: help, values, sources that are not there, and the last lines of a run."""
