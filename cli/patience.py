"""How long a command waits for a server that says nothing at all: it is to have answered within five seconds, and takes
one or two to start.
"""

ANSWERS_WITHIN_SECONDS = 3.0
