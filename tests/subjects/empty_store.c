/* Measures operations on nothing. */
#define SPIN_POPULATION 0.0
#include "spin.h"
