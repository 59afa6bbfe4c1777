"""Documents that are not Python."""
