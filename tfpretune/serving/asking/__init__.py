"""Models that are asked: one input or many, of an export or a server, and what their answers are written as."""
