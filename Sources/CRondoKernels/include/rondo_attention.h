// Causal softmax attention without the matrix of scores.
#ifndef RONDO_ATTENTION_H
#define RONDO_ATTENTION_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
