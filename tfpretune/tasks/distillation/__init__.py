"""Distillation: a teacher's answers, the students, and both beside each other."""
