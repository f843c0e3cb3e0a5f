// The delta rule with decay: matrix states with diagonal plus rank-one transitions, chunk by chunk.
#ifndef RONDO_DELTA_RULE_H
#define RONDO_DELTA_RULE_H

#include "rondo_kernels.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __cplusplus
}
#endif
#endif
