"""The user's cache directory, which may vanish at any time: nothing but speed and convenience may rest on it."""
