/* 8 % of the steps are there because of two types; not a miss more. */
#define TWO_DUAL_PERCENT 8
#define TWO_MORE_LINES 0
#include "two_types.h"
