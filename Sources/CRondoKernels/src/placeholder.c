// Placeholder until the kernels land.
#include "rondo_kernels.h"
