"""Update rules, learning rates over the steps and over the variables, averages."""
