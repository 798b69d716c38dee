/* One episode was lost in set-up. */
#define USED_EPISODES_LOST 1
#include "used.h"
