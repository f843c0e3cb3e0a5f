// The selective scan of Mamba.
#ifndef RONDO_SELECTIVE_SCAN_H
#define RONDO_SELECTIVE_SCAN_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
