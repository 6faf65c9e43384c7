"""What is recognised in data before anything runs."""
