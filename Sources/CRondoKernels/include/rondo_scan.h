// Linear recurrences whose state is a vector, elementwise.
#ifndef RONDO_SCAN_H
#define RONDO_SCAN_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
