/* 2 % of the steps are there because of two types, and 20 % more misses than the twin has. */
#define TWO_DUAL_PERCENT 2
#define TWO_MORE_LINES 400
#include "two_types.h"
