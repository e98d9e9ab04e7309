"""`make simulate`: the real decision function, and KEDA's formula, live through loads made of a recorded trace."""
