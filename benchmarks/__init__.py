"""Benchmarks: figures are medians and ratios of interleaved runs on one machine."""
