"""One Report model, many renderers."""
