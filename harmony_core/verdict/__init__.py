"""What numbers mean."""
