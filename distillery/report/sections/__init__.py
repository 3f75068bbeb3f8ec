"""What stands in one section of the page, made ready for the template: one file, one section."""
