"""Speed and quality, measured: `python -m benchmarks`. Not installed."""
