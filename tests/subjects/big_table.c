/* 256 kernels. */
#include "table.h"

#define KERNEL(number)          \
    {.size = sizeof(dm_kernel), \
     .name = "spin",            \
     .variant = "v" #number,    \
     .summary = "one count",    \
     .setup = table_setup,      \
     .run = table_run,          \
     .teardown = table_teardown}
#define FOUR(n) KERNEL(n##0), KERNEL(n##1), KERNEL(n##2), KERNEL(n##3)
#define SIXTEEN(n) FOUR(n##0), FOUR(n##1), FOUR(n##2), FOUR(n##3)
#define SIXTY_FOUR(n) SIXTEEN(n##0), SIXTEEN(n##1), SIXTEEN(n##2), SIXTEEN(n##3)
static const dm_kernel rows[] = {SIXTY_FOUR(0), SIXTY_FOUR(1), SIXTY_FOUR(2), SIXTY_FOUR(3)};

#define POINT(i) &rows[i], &rows[i + 1], &rows[i + 2], &rows[i + 3]
#define POINT_16(i) POINT(i), POINT(i + 4), POINT(i + 8), POINT(i + 12)
#define POINT_64(i) POINT_16(i), POINT_16(i + 16), POINT_16(i + 32), POINT_16(i + 48)
static const dm_kernel *const kernels[] = {POINT_64(0), POINT_64(64), POINT_64(128), POINT_64(192)};
TABLE_LIBRARY(0, kernels, sizeof kernels / sizeof *kernels)
