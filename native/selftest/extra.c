/* The one object in which the sizes of this library differ. */
#include "selftest.h"

#ifndef SELFTEST_EXTRA_PERCENT
#error "SELFTEST_EXTRA_PERCENT says how much more work there is: 0 for none"
#endif

const uint64_t selftest_extra_percent = SELFTEST_EXTRA_PERCENT;
