// Causal convolutions as long as the sequence.
#ifndef RONDO_LONG_CONVOLUTION_H
#define RONDO_LONG_CONVOLUTION_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
