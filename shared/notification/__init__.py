"""What a notification is, in plain data: no input or output, no clock, no environment, no randomness."""
