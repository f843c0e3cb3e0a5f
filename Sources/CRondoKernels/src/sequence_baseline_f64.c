#define RK_FLOAT 0
#define RK_TABLE rk_sequence_baseline_f64
#define RK_BASE rk_baseline_f64
#include "sequence_baseline.h"
