// Nonlinear recurrences that are no matrix products of a layer: diagonal, max-min and matrix-state cells.
