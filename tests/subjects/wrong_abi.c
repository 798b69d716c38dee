/* Compiled against another major version of the header. */
#define SPIN_ABI_MAJOR 99
#include "spin.h"
