/* poison.h: include it last. From here on the C allocator cannot be called: every byte of a store goes through
 * store/memory.h, which counts it. */
#ifndef DUALMEM_STORE_POISON_H
#define DUALMEM_STORE_POISON_H

#if defined(__GNUC__)
#pragma GCC poison malloc calloc realloc free aligned_alloc posix_memalign strdup mmap munmap
#endif

#endif
