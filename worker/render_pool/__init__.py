"""Rendering in child processes, where a template that exceeds time or memory takes down nothing but itself."""
