"""The language server: the only place that knows LSP, pygls and UTF-16."""
