"""The commands of ``harmony-explorer``: each file adds its arguments to a parser and runs."""
