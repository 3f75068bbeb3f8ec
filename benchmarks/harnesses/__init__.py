"""Other tools that time a model, each in a process that ``harness_agreement.py`` takes turns with.

Their modules run in an environment of their own: ``python -m MODULE GRAPH THREADS``. The first line
of stdin is a JSON list of inputs (name → nested lists), each line after it a JSON list of rows of
these to time; the answer is one line, a JSON list of milliseconds. Between lines the process is
blocked.
"""
