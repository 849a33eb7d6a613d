"""Many runs compared: scratch against pre-trained, over labels, over domains."""
