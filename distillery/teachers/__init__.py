"""One file, one way to come by a teacher."""
