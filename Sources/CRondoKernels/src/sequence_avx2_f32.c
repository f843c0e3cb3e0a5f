#define RK_FLOAT 1
#define RK_TABLE rk_sequence_avx2_f32
#define RK_BASE rk_avx2_f32
#include "sequence_avx2.h"
