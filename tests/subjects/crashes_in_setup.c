/* Writes to the first page, which is never mapped, in setup. */
#define SPIN_IN_SETUP *(volatile int *)(uintptr_t)(work->placement + 64) = 1;
#include "spin.h"
