"""Network streams and pipes, in and out: a source that may go away and come back, and a target likewise."""
