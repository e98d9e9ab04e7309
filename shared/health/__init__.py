"""What is observed of a running deployment, and what it says about its health. Pure: no I/O, no clock."""
