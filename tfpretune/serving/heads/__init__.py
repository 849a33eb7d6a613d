"""What a served model says: the outputs of its head as named answers, one file a form of answer."""
