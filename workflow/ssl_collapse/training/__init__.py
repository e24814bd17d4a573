"""Pretraining: the loop, optimisers, learning rate, health, ranks. Decides results."""
