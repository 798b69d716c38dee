/* 2 % of the steps, and of the misses, are there because of two types. */
#define TWO_DUAL_PERCENT 2
#define TWO_MORE_LINES 40
#include "two_types.h"
