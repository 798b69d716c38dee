/* Its output is not a number. */
#define SPIN_CHECKSUM_ERROR 1
#define SPIN_OUTPUT_ERROR (double)NAN
#include "spin.h"
