"""More text for a student to learn from: one file = one way to make it.

Nothing here looks at labels. The teacher answers for each new text, as it does for the others.
"""
