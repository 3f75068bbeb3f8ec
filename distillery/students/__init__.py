"""One file, one student architecture and how it starts from its teacher."""
