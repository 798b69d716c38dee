/* Writes through a null pointer in setup. */
#define SPIN_IN_SETUP *(volatile int *)(uintptr_t)(work->seed - work->seed) = 1;
#include "spin.h"
