"""The batch of a step, a function of the seed and the step, one file per form."""
