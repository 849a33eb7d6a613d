"""Files, locks, disks and workers: what the rest runs on."""
