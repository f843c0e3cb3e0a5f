#define RK_FLOAT 0
#define RK_TABLE rk_baseline_f64
#include "level_baseline.h"
