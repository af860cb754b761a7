"""A loan desk on failsoft: documents go in once, and their officer always knows what happens."""
