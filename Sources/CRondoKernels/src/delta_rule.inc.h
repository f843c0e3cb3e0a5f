// The delta rule with decay: matrix states with diagonal plus rank-one transitions, chunk by chunk.
