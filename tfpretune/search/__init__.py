"""Settings searched: the space, the trials, the study, its report."""
