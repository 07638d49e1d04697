"""`vidcolor serve`: the browser page and the server behind it."""
