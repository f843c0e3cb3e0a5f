#define RK_FLOAT 1
#define RK_TABLE rk_avx512_f32
#include "level_avx512.h"
