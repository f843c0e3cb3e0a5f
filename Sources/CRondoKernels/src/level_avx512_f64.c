#define RK_FLOAT 0
#define RK_TABLE rk_avx512_f64
#include "level_avx512.h"
