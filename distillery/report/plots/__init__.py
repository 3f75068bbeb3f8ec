"""What a run found, drawn: one file, one plot; each gives an SVG for the page.

Pure: figures are made directly, without pyplot, so that nothing is shared between threads. Text
stays text, and every colour is a CSS variable with a light default, so that one drawing serves
light and dark pages, and stands alone too.
"""
