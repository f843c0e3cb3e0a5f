// Linear attention with decay: matrix states, chunk by chunk.
