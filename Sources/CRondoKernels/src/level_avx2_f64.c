#define RK_FLOAT 0
#define RK_TABLE rk_avx2_f64
#include "level_avx2.h"
