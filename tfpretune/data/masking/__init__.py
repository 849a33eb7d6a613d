"""What is masked and what is to be predicted: pure functions of a batch and a seed."""
