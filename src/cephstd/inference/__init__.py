"""Landmark models: the catalog that pins them, the session that runs them, the detector that places points."""
