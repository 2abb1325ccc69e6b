"""Clinical definitions as data: landmarks, measures, analyses, schemes, and the language their formulas are in."""
