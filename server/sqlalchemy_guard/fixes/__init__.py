"""Fix building blocks: arguments, imports, blocks and layout as edits that keep comments. No rule's knowledge."""
