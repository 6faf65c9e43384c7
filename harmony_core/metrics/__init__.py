"""Numbers about neighbours and embeddings: functions on arrays."""
