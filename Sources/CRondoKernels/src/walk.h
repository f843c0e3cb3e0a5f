// Walks several strided arrays of one shape in row-major order, row by row.
#ifndef RK_WALK_H
#define RK_WALK_H

#include "rondo_kernels.h"

enum { RK_MAX_OPERANDS = 4 };

typedef struct {
    int rank, operands;  // rank >= 1
    int64_t shape[RK_MAX_RANK];
    int64_t stride[RK_MAX_OPERANDS][RK_MAX_RANK];
    int64_t index[RK_MAX_RANK];
    int64_t offset[RK_MAX_OPERANDS];  // of the current element, from each operand's start
} rk_walk;

/// Simplifies the shape: axes of extent 1 vanish, axes that every operand lays out as one are merged. Row-major
/// order is kept.
static inline rk_walk rk_walk_make(int rank, const int64_t *shape, int operands, const int64_t *const *strides) {
    rk_walk walk = {.rank = 0, .operands = operands};
    for (int axis = 0; axis < rank; axis++) {
        if (shape[axis] == 1) continue;
        bool merge = walk.rank > 0;
        for (int o = 0; o < operands; o++)
            merge = merge && walk.stride[o][walk.rank - 1] == strides[o][axis] * shape[axis];
        int at = merge ? walk.rank - 1 : walk.rank++;
        walk.shape[at] = merge ? walk.shape[at] * shape[axis] : shape[axis];
        for (int o = 0; o < operands; o++) walk.stride[o][at] = strides[o][axis];
    }
    if (walk.rank == 0) {
        walk.rank = 1;
        walk.shape[0] = 1;
        for (int o = 0; o < operands; o++) walk.stride[o][0] = 1;
    }
    return walk;
}

static inline size_t rk_walk_count(const rk_walk *walk) {
    size_t count = 1;
    for (int axis = 0; axis < walk->rank; axis++) count *= (size_t)walk->shape[axis];
    return count;
}

/// Goes to an element by its row-major position.
static inline void rk_walk_seek(rk_walk *walk, size_t position) {
    for (int o = 0; o < walk->operands; o++) walk->offset[o] = 0;
    for (int axis = walk->rank - 1; axis >= 0; axis--) {
        walk->index[axis] = (int64_t)(position % (size_t)walk->shape[axis]);
        position /= (size_t)walk->shape[axis];
        for (int o = 0; o < walk->operands; o++) walk->offset[o] += walk->index[axis] * walk->stride[o][axis];
    }
}

/// How many elements, `limit` at most, are left in the current row.
static inline size_t rk_walk_row(const rk_walk *walk, size_t limit) {
    size_t left = (size_t)(walk->shape[walk->rank - 1] - walk->index[walk->rank - 1]);
    return left < limit ? left : limit;
}

/// Goes to the start of the next row.
static inline void rk_walk_next(rk_walk *walk) {
    int axis = walk->rank - 1;
    for (int o = 0; o < walk->operands; o++) walk->offset[o] -= walk->index[axis] * walk->stride[o][axis];
    walk->index[axis] = 0;
    for (axis--; axis >= 0; axis--) {
        walk->index[axis]++;
        for (int o = 0; o < walk->operands; o++) walk->offset[o] += walk->stride[o][axis];
        if (walk->index[axis] < walk->shape[axis]) return;
        for (int o = 0; o < walk->operands; o++) walk->offset[o] -= walk->shape[axis] * walk->stride[o][axis];
        walk->index[axis] = 0;
    }
}

#endif
