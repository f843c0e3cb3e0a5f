// All kernels of one (level, element type), and their table.
#include "vector.inc.h"
#include "math.inc.h"
#include "elementwise.inc.h"

#define RK_ENTRY(name, result, parameters) .name = k_##name,
const struct rk_kernels RK_TABLE = {RK_KERNEL_LIST(RK_ENTRY)};
