"""The verdict on a run.

`assess` gathers the numbers, `verdict` decides (`judge`), `wording` writes its sentences, `advice`
and `run_outcome` say what to try, `suggest` picks settings of a grid, `stability` compares seeds.
"""
