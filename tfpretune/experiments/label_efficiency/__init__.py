"""Whether pre-training paid, over the number of labels: methods, trials."""
