"""A stand-in for Novu's event endpoints: refuses what Novu refuses, records everything, fails when told to."""
