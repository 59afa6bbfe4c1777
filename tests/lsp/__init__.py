"""Tests of the language server: a real process, spoken to as editors speak."""
