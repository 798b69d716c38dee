/* Writes to the first page, which is never mapped, in setup. */
#define SPIN_IN_SETUP *(volatile int *)(uintptr_t)(work->seed - work->seed + 64) = 1;
#include "spin.h"
