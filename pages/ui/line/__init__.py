"""The line: how a page hears that a stage is stored, and draws what shows it again.

A websocket a page (`route`), who listens on it (`listeners`), and in the browser (`components`) one
element a page that holds the line, an unseen ear in each part, and bars that move without a part
being drawn. The parts themselves: `pages.ui.part`.
"""
