"""Landmarks to measures: formulas lowered to one flat program, run by one compiled kernel, with their uncertainty."""
