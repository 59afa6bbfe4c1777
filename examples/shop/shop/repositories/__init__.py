"""What the shop asks its database."""
