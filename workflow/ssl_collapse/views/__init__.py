"""Which images a step sees and how: ordering, schedule, crops, augmentation. Decides results."""
