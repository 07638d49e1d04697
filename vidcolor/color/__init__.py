"""Colour maths on arrays: luma and L*, LAB and chroma codes, matrices, ranges, bit depths; the luma proxy."""
