"""Workflows as `/v2/workflows` keeps them: identifiers, issues, limits, publishing."""
