"""The parts of the Diagnostics page, one file a section."""
