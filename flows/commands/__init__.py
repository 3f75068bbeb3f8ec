"""One file, one sub-command of ``distillery``. Heavy imports wait inside the functions."""
