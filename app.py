"""Harmony Explorer: `streamlit run app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.errors import FragmentHandledException


def main() -> None:
    st.set_page_config(page_title="Harmony Explorer", page_icon="🎼", layout="wide")
    from pages.ui import address, faults, presentation, services, state

    services.runner()  # starts the worker, so that it is warm before the first slider moves
    state.start()
    address.restore()
    # Addresses differ from file names: Streamlit's older mechanism would otherwise take a first
    # request for /tune and run that page without this file.
    pages = [
        st.Page("pages/data.py", title="Data", url_path="choose-data"),
        st.Page("pages/tune.py", title="Tune", url_path="tuning", default=True),
        st.Page("pages/markers.py", title="Marker genes", url_path="marker-genes"),
        st.Page("pages/diagnostics.py", title="Diagnostics", url_path="evidence"),
        st.Page("pages/export.py", title="Take away", url_path="take-away"),
    ]
    page = st.navigation(pages, position="top")
    st.html(Path(__file__).parent / "pages" / "ui" / "style.css")
    presentation.apply()
    try:
        page.run()
    except FragmentHandledException:
        raise  # Streamlit has said it
    except Exception as error:
        faults.stop(error)


# The worker is spawned, and a spawned process runs this file again under another name.
if __name__ == "__main__":
    main()
