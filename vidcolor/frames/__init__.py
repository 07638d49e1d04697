"""The one way for a frame: luma proxy, colour, merge; the threads and queues that carry it."""
