"""A team's servers on one machine, without containers: ``make stack``."""
