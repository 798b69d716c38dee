/* resident.h: the memory that this process has, as the system counts it. */
#ifndef DUALMEM_TESTS_RESIDENT_H
#define DUALMEM_TESTS_RESIDENT_H

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* Bytes; 0: the system does not tell. */
static inline uint64_t resident_bytes(void) {
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*u %llu", &pages) != 1) {
        pages = 0;
    }
    if (file != NULL) {
        fclose(file);
    }
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#endif
