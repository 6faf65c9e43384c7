"""The stages of a run: `registry` lists them, each is declared beside what computes it."""
