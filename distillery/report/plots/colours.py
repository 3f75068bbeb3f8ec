"""The colours of all plots.

Each is used for one thing, so that it can be found again in the SVG: CSS variable → light colour.
Role and series colours are told apart by the colour-blind too (after Okabe & Ito, 2008).
"""

PAPER, INK, MUTED, GRID = "#fffffe", "#1c2129", "#5d6675", "#e1e4ea"
LIMIT, LOSS, GAINED = "#c2410c", "#c8501e", "#12806a"
ROLES = {"teacher": "#6b7280", "student": "#0b69c7", "champion": "#b7790a", "control": "#9a5fb5"}
SERIES = ("#0b6ac8", "#d45d00", "#0a8f6c", "#b0478f", "#7a6a00", "#5a55c9", "#2a93b8", "#a83a3a")
TEACHER_LINE = "#4a5261"
VARIABLES = {
    "--plot-paper": PAPER,
    "--plot-ink": INK,
    "--plot-muted": MUTED,
    "--plot-grid": GRID,
    "--plot-limit": LIMIT,
    "--plot-loss": LOSS,
    "--plot-gained": GAINED,
    "--plot-teacher-line": TEACHER_LINE,
    **{f"--plot-{role}": colour for role, colour in ROLES.items()},
    **{f"--plot-series-{i}": colour for i, colour in enumerate(SERIES)},
}
