"""The verdict on a run.

`assess` gathers the numbers, `verdict` decides (`judge`), `wording` writes its sentences, `advice`
and `run_outcome` say what to try, `suggest` names the setting of a `grid` that mixes most at no
state's cost, `stability` compares seeds.
"""
