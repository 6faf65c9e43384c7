"""Harmony Explorer: `streamlit run app.py`."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.errors import FragmentHandledException
from streamlit.navigation.page import StreamlitPage


def _moved(old_address: str, page: StreamlitPage) -> StreamlitPage:
    """Return an unlisted page that opens another one with the same query."""
    from pages.ui import address

    return st.Page(
        lambda: st.switch_page(page, query_params=address.query()),
        title=page.title,
        url_path=old_address,
        visibility="hidden",
    )


def main() -> None:
    st.set_page_config(page_title="Harmony Explorer", page_icon="🎼", layout="wide")
    from harmony_core.version import VERSION
    from pages.ui import address, faults, garbage, presentation, state
    from pages.ui.line import components as line

    garbage.collect_soon()
    not_found = address.is_unknown_page()
    paths = address.PATHS
    diagnostics = st.Page(
        "pages/diagnostics.py", title="Diagnostics", url_path=paths["diagnostics"]
    )
    export = st.Page("pages/export.py", title="Export", url_path=paths["export"])
    pages = [
        st.Page("pages/data.py", title="Data", url_path=paths["data"]),
        st.Page("pages/tune.py", title="Tune", url_path=paths["tune"], default=True),
        st.Page("pages/markers.py", title="Marker genes", url_path=paths["markers"]),
        diagnostics,
        export,
        st.Page("pages/lessons.py", title="Lessons", url_path=paths["lessons"]),
        # Links from before these two had their names.
        _moved("evidence", diagnostics),
        _moved("take-away", export),
    ]
    page = st.navigation(pages, position="top")
    if not_found:
        address.open_again()
    st.html(Path(__file__).parent / "pages" / "ui" / "style.css")
    try:
        # Within what says a sentence, as the store may not be there to be written.
        state.start()
        address.restore()
        presentation.apply()
        line.place()
        page.run()
    except FragmentHandledException:
        raise  # Streamlit has said it
    except Exception as error:
        faults.stop(error)
    st.html(f'<footer class="harmony-foot">Harmony Explorer {VERSION}</footer>')


# Streamlit runs this file for each page run, and imports it once as a server of its own. A worker,
# which is spawned, runs it again under a third name.
if __name__ == "__main__":
    main()
elif __name__ == "app":
    from starlette.middleware import Middleware

    from pages.ui import serving
    from pages.ui.line.route import route
    from pages.ui.same_origin import SameOrigin

    app = st.App(
        __file__,
        routes=[route()],
        lifespan=serving.lifespan,
        middleware=[Middleware(SameOrigin)],
    )
