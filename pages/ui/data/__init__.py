"""What the Data page consists of."""
