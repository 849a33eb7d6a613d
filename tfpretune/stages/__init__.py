"""What several recipes share and what needs training and evaluation at once. Functions here may take a run's settings."""
