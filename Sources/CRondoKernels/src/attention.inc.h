// Causal softmax attention without the matrix of scores.
