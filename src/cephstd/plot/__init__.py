"""Pictures: films with landmarks and planes, outline tracings, drawings of definitions. The home of matplotlib."""
