"""Recognises what a dataset holds: kinds of values, batch and label columns, genes, embeddings."""
