"""The command line. Must never import pygls or lsprotocol."""
