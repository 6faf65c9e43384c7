"""Over-correction without labels."""
