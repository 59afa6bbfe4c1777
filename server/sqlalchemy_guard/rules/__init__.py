"""Rules: one file a rule, grouped by the section of the guidelines; discovered, never listed."""
