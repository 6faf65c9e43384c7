"""What the Marker genes page consists of."""
