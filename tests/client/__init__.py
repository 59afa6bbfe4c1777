"""The VS Code extension as it is built: what an editor is not needed for."""
