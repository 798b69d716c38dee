/* memory.c: see memory.h. The only file of the library that calls the C allocator or mmap.
 *
 * A block is preceded by a header of one cache line. A header in a side table would leave the lines before a block alone,
 * but would need a lock or a search on each free; nothing hot lives in front of a block. */
#include "store/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct block_header {
    void *base;    /* what the system gave */
    size_t mapped; /* bytes mapped; 0: base belongs to the C allocator */
    size_t limit;  /* bytes of a reservation; 0 for a block */
    size_t size;   /* bytes charged to the account */
} block_header;

_Static_assert(sizeof(block_header) <= DM_CACHE_LINE, "the header fits in front of the smallest alignment");

static block_header *header_of(void *pointer) {
    return (block_header *)(void *)((char *)pointer - DM_CACHE_LINE);
}

static int is_allowed(size_t size, size_t alignment, size_t placement) {
    return alignment >= DM_CACHE_LINE && (alignment & (alignment - 1)) == 0 && alignment <= ((size_t)1 << 30) &&
           placement % DM_CACHE_LINE == 0 && placement < 4096 && size <= SIZE_MAX / 4;
}

static void *allocate_small(size_t size, size_t alignment, size_t placement) {
    size_t total = alignment + placement + size;
    void *base = NULL;
    if (posix_memalign(&base, alignment, total) != 0) {
        return NULL;
    }
    memset(base, 0, total);
    char *pointer = (char *)base + alignment + placement;
    *header_of(pointer) = (block_header){.base = base, .size = size};
    return pointer;
}

/* Maps so that `placement` bytes behind an aligned address `size` bytes follow, with room for the header before. */
static char *map_aligned(size_t size, size_t alignment, size_t placement, int protection, block_header *header) {
    size_t mapped = DM_CACHE_LINE + alignment + placement + size;
    void *base = mmap(NULL, mapped, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return NULL;
    }
    uintptr_t first = (uintptr_t)base + DM_CACHE_LINE;
    uintptr_t aligned = (first + alignment - 1) & ~(uintptr_t)(alignment - 1);
    *header = (block_header){.base = base, .mapped = mapped};
    return (char *)base + (aligned - (uintptr_t)base) + placement;
}

/* Huge pages are a wish: where they are turned off the block works with small ones. */
static void wish_huge_pages(char *pointer, size_t placement, size_t size) {
    (void)madvise(pointer - placement, placement + size, MADV_HUGEPAGE);
}

void *dm_memory_allocate(dm_memory *account, size_t size, size_t alignment, size_t placement) {
    if (!is_allowed(size, alignment, placement)) {
        return NULL;
    }
    void *pointer = NULL;
    if (size < DM_HUGE_PAGE) {
        pointer = allocate_small(size, alignment, placement);
    } else {
        block_header header;
        size_t raised = alignment < DM_HUGE_PAGE ? DM_HUGE_PAGE : alignment;
        pointer = map_aligned(size, raised, placement, PROT_READ | PROT_WRITE, &header);
        if (pointer != NULL) {
            wish_huge_pages(pointer, placement, size);
            header.size = size;
            *header_of(pointer) = header;
        }
    }
    if (pointer != NULL) {
        atomic_fetch_add_explicit(&account->bytes, size, memory_order_relaxed);
    }
    return pointer;
}

void dm_memory_free(dm_memory *account, void *pointer) {
    if (pointer == NULL) {
        return;
    }
    block_header header = *header_of(pointer);
    atomic_fetch_sub_explicit(&account->bytes, header.size, memory_order_relaxed);
    if (header.mapped > 0) {
        (void)munmap(header.base, header.mapped);
    } else {
        free(header.base);
    }
}

/* Makes the pages of a range readable and writable. */
static int unlock_pages(const block_header *header, char *pointer, size_t offset, size_t size) {
    enum { STEP = 65536 }; /* a multiple of every page size in use */
    if (size == 0) {
        return 1; /* POSIX does not say what mprotect does with nothing: Linux accepts it, qemu's emulation refuses */
    }
    size_t begin = (size_t)(pointer - (char *)header->base) + offset;
    size_t end = (begin + size + STEP - 1) / STEP * STEP;
    begin = begin / STEP * STEP;
    if (end > header->mapped) {
        end = header->mapped;
    }
    return mprotect((char *)header->base + begin, end - begin, PROT_READ | PROT_WRITE) == 0;
}

void *dm_memory_reserve(size_t limit, size_t placement) {
    if (!is_allowed(limit, DM_CACHE_LINE, placement)) {
        return NULL;
    }
    block_header header;
    char *pointer = map_aligned(limit, DM_HUGE_PAGE, placement, PROT_NONE, &header);
    if (pointer == NULL) {
        return NULL;
    }
    header.limit = limit;
    wish_huge_pages(pointer, placement, limit);
    /* The header's own line; the base of a mapping need not be a multiple of the step. */
    if (mprotect(header.base, (size_t)(pointer - (char *)header.base), PROT_READ | PROT_WRITE) != 0) {
        (void)munmap(header.base, header.mapped);
        return NULL;
    }
    *header_of(pointer) = header;
    return pointer;
}

int dm_memory_commit(dm_memory *account, void *reservation, size_t offset, size_t size) {
    block_header *header = header_of(reservation);
    if (offset > header->limit || size > header->limit - offset || !unlock_pages(header, reservation, offset, size)) {
        return 0;
    }
    atomic_fetch_add_explicit(&account->bytes, size, memory_order_relaxed);
    header->size += size;
    return 1;
}

static size_t page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t dm_memory_pages(const void *pointer, size_t offset, size_t size, void **first) {
    if (pointer == NULL) {
        return 0;
    }
    const block_header *header = (const block_header *)(const void *)((const char *)pointer - DM_CACHE_LINE);
    if (header->mapped == 0) {
        return 0;
    }
    size_t page = page_size();
    size_t into = (size_t)((const char *)pointer - (const char *)header->base) + offset;
    size_t begin = (into + page - 1) / page * page; /* mappings begin at pages */
    size_t end = (into + size) / page * page;
    *first = (char *)header->base + begin;
    return end > begin ? end - begin : 0;
}

const void *dm_memory_map_file(int descriptor, size_t size) {
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

void *dm_memory_map_copy(int descriptor, size_t size) {
    void *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, descriptor, 0);
    return bytes == MAP_FAILED ? NULL : bytes;
}

void dm_memory_unmap_file(const void *pointer, size_t size) {
    if (pointer != NULL) {
        (void)munmap((void *)(uintptr_t)pointer, size);
    }
}

int dm_memory_overlay(void *pointer, int descriptor, uint64_t offset, size_t size, size_t *mapped) {
    const block_header *header = header_of(pointer);
    size_t page = page_size();
    *mapped = 0;
    if (header->mapped == 0 || header->limit != 0 || size > header->size || (uintptr_t)pointer % page != 0 ||
        offset % page != 0 || size < page) {
        return 1;
    }
    size_t whole = size / page * page;
    if (mmap(pointer, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, descriptor, (off_t)offset) == MAP_FAILED) {
        return 0;
    }
    *mapped = whole;
    return 1;
}

uint64_t dm_memory_bytes(const dm_memory *account) {
    return atomic_load_explicit(&account->bytes, memory_order_relaxed);
}
