"""How steady colour is in time: metrics on sequences of frames, and the run over the clips."""
