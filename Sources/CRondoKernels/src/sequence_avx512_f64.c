#define RK_FLOAT 0
#define RK_TABLE rk_sequence_avx512_f64
#define RK_BASE rk_avx512_f64
#include "sequence_avx512.h"
