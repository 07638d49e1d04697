"""A film as a plan of segments: probe, plan, colour each segment, assemble; resume and batches."""
