"""The only timing loop. Imports no torch, so that what is sent to an instance stays small."""
