"""Video files in and out on PyAV: formats, Reader, Encoder, Muxer."""
