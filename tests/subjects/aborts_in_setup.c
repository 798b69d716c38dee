/* A failed assertion. */
#define SPIN_IN_SETUP abort();
#include "spin.h"
