"""How many workers there should be: read, decided, done, once a minute."""
