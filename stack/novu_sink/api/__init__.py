"""Novu's HTTP interface: who may ask, how often, and the shapes of its answers."""
