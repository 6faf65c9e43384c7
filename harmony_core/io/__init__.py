"""Reads every format into AnnData (`formats` lists them), and writes files whole or not at all."""
