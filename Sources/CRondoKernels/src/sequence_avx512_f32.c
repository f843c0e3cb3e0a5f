#define RK_FLOAT 1
#define RK_TABLE rk_sequence_avx512_f32
#define RK_BASE rk_avx512_f32
#include "sequence_avx512.h"
