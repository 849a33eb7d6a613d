"""What can be said of a run in words: each rule is a function, and nothing is said without its rule."""
