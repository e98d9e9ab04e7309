"""Any number of listeners share the shards of enterprises between them."""
