// Linear attention with decay: matrix states, chunk by chunk.
#ifndef RONDO_LINEAR_ATTENTION_H
#define RONDO_LINEAR_ATTENTION_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
