"""Liquid templates to the text a channel may carry: pure, and bounded against hostile templates."""
