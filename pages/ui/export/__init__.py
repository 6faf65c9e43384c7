"""What the Export page consists of."""
