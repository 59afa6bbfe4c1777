"""The example application, and the demonstration that mends it as an editor would."""
