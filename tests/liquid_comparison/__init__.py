"""Our engine held against LiquidJS: the same templates, the same values, every difference decided."""
