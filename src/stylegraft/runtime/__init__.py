"""The machine under the mathematics: random keys, precision and device, processes."""
