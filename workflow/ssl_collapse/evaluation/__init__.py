"""What is measured on representations: collapse, k-NN, linear probe. Decides results."""
