"""What several tests share. Must never hold a test, nor anything that only one test module needs."""
