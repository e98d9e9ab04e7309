"""When rules fire: pure decisions on rules and instants."""
