"""What editors show beside diagnostics, in lines and labels: nothing here knows LSP."""
