// Causal convolutions as long as the sequence.
