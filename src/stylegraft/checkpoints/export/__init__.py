"""Our networks in the formats of others."""
