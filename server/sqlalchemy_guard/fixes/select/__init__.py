"""The algebra that rewrites the legacy Query API to `select()`: source, links, terminal, consumer."""
