"""More rows for a student to learn from: one file = one way to make them.

Nothing here looks at labels. The teacher answers for each new row, as it does for the others.
"""
