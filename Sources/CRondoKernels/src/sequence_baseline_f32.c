#define RK_FLOAT 1
#define RK_TABLE rk_sequence_baseline_f32
#define RK_BASE rk_baseline_f32
#include "sequence_baseline.h"
