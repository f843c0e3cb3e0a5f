#define RK_FLOAT 1
#define RK_TABLE rk_avx2_f32
#include "level_avx2.h"
