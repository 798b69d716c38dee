/* memory.h: the one allocator of libdualmem.
 *
 * Every block is zeroed, aligned to a cache line at least, and charged to an account, so that bytes per node and per
 * binding are counted, not estimated. Blocks of 2 MiB and more are mapped on their own, aligned to 2 MiB and offered to
 * the kernel for huge pages: 4 KiB pages cost 6-47 % on random access over large stores.
 *
 * `placement` moves a block within its allocation, because the address modulo 4096 alone changes timings by some per
 * cent; the host draws it anew for each worker and averages that out. */
#ifndef DUALMEM_STORE_MEMORY_H
#define DUALMEM_STORE_MEMORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* An account. Zero-initialise it. All functions may be called from several threads at once. */
typedef struct dm_memory {
    _Atomic uint64_t bytes;
} dm_memory;

enum { DM_CACHE_LINE = 64, DM_HUGE_PAGE = 2 * 1024 * 1024 };

/* `size` bytes, zeroed. alignment: a power of two, >= 64 (raised to 2 MiB for blocks of 2 MiB and more). placement: a
 * multiple of 64, < 4096; the pointer returned lies that many bytes behind an aligned address. NULL: no memory, or an
 * argument that breaks these rules. size 0 gives a block that can only be freed. */
void *dm_memory_allocate(dm_memory *account, size_t size, size_t alignment, size_t placement);

/* Frees a block of dm_memory_allocate or dm_memory_reserve; the same account as then. Accepts NULL. */
void dm_memory_free(dm_memory *account, void *pointer);

/* Address space for arrays that grow without moving, or have gaps: `limit` bytes reserved, none usable, none charged. Aligned
 * and placed as a block of 2 MiB. NULL: refused. */
void *dm_memory_reserve(size_t limit, size_t placement);

/* Makes `size` bytes from `offset` on usable, zeroed as they come into use, and charges them. A range that was committed
 * before must not be committed again, except that an array that grows does so from its old end. Calls for one reservation
 * must not overlap in time. 1: done, 0: no memory or beyond the limit. */
int dm_memory_commit(dm_memory *account, void *reservation, size_t offset, size_t size);

/* The whole pages within bytes offset .. offset + size of a block that has a mapping of its own (2 MiB and more, or a reservation):
 * their number of bytes, and where they begin. 0 for other blocks, which share pages with strangers. */
size_t dm_memory_pages(const void *pointer, size_t offset, size_t size, void **first);

/* `size` > 0 bytes of a file from its beginning, read-only; charged to nobody. NULL: refused. */
const void *dm_memory_map_file(int descriptor, size_t size);
void dm_memory_unmap_file(const void *pointer, size_t size);

/* The same, writable, copy-on-write: what is written there never reaches the file. Pages are small ones. */
void *dm_memory_map_copy(int descriptor, size_t size);

/* Puts `size` bytes of a file, from `offset` on, in the place of the first ones of a block of 2 MiB and more, copy-on-write: what is
 * written there never reaches the file. Done for whole pages only; *mapped tells for how many bytes, 0 where the addresses
 * do not allow it. The account does not change. 0: the system refused, and the block can only be freed. */
int dm_memory_overlay(void *pointer, int descriptor, uint64_t offset, size_t size, size_t *mapped);

/* Sum of the sizes asked for of all live blocks and of the usable parts of reservations. Headers, alignment and placement
 * are not in it (128 bytes or less for a small block, up to 2 MiB of untouched address space for a large one). */
uint64_t dm_memory_bytes(const dm_memory *account);

#endif
