"""Any file to AnnData."""
