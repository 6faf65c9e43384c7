"""What the Tune page consists of."""
