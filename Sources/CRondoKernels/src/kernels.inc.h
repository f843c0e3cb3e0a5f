// All kernels of one (level, element type), and their table.
#include "scratch.h"
#include "vector.inc.h"
#include "math.inc.h"
#include "elementwise.inc.h"
#include "unary_gradient.inc.h"
#include "broadcast.inc.h"
#include "reduce.inc.h"
#include "rows.inc.h"
#include "norms.inc.h"
#include "cross_entropy.inc.h"
#include "optimisers.inc.h"
#include "convolution.inc.h"
#include "random.inc.h"
#include "cast.inc.h"
#include "gemm.inc.h"
#include "weight_groups.inc.h"
#include "weight_product.inc.h"
#include "recurrent.inc.h"

#define RK_ENTRY(name, result, parameters) .name = k_##name,
const struct rk_kernels RK_TABLE = {RK_KERNEL_LIST(RK_ENTRY) RECURRENT_KERNEL_LIST(RK_ENTRY)};
