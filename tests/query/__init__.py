"""Executes both sides of every rewrite of a query against the real library."""
