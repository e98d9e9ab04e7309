"""How many workers there should be: read, decided, done, look by look."""
