"""What a task needs besides a model: its data, its fit, its report, its hand-over."""
