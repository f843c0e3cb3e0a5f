// Nonlinear recurrences that are no matrix products of a layer: diagonal, max-min and matrix-state cells.
#ifndef RONDO_ELEMENTWISE_RECURRENCE_H
#define RONDO_ELEMENTWISE_RECURRENCE_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
