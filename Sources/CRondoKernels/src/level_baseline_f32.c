#define RK_FLOAT 1
#define RK_TABLE rk_baseline_f32
#include "level_baseline.h"
