"""What the tests of the language server share."""
