"""Live pictures: cameras, streams, the window and the browser page."""
