/* Works. What every other subject is compared with. */
#include "spin.h"
