#include "rondo_fft.h"
