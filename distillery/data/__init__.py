"""Data sets and corpora: loaded, checked, cleaned, stored; and sequences larger than memory."""
