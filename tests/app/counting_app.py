"""A page that says how often all garbage has been collected, and that lets nobody do it unasked."""

import gc

import streamlit as st

gc.disable()
st.text(f"collected {gc.get_stats()[2]['collections']}")
