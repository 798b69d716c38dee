/* exact.h: exact nearest rows by cosine or by inner product.
 *
 * A cheap scan gives every row a number that its cosine cannot exceed by more than a proven error; for inner products
 * that number is multiplied by the row's norm. The rows that could still be among the best are rescored: their
 * similarities are taken to double precision from the float32 rows (simd/query.h). So every variant returns the same
 * neighbours with the same bits, whatever it scanned; float32 or 8-bit codes decide only how many bytes are read.
 * Order: the higher similarity first; of equal ones the smaller row.
 *
 * The price: data that the bound cannot tell apart (all rows equal, or one component that dwarfs the others in every
 * row) is rescored as a whole: 2 to 3 times the cost of scanning float32 (1,000 and 10,000 x 768). The answer stays
 * exact.
 *
 * Threads: an index is constant once made; every thread that searches needs a scratch of its own. The rows must neither
 * move nor change while the index lives. */
#ifndef DUALMEM_INDEX_EXACT_H
#define DUALMEM_INDEX_EXACT_H

#include <stddef.h>
#include <stdint.h>

#include "dualmem/dualmem.h"
#include "simd/isa.h"
#include "store/memory.h"

typedef struct dm_neighbour {
    double similarity; /* cosine, in [-1, 1], or inner product: as the index was made */
    uint32_t row;
} dm_neighbour;

typedef struct dm_exact_variant {
    const char *name;
    dm_isa isa;
    const char *simd;  /* the variant that it takes from simd/query, similarity and choose */
    const char *codes; /* the variant of simd/codes whose codes it scans; NULL: it scans the float32 rows */
} dm_exact_variant;

/* The first row is the reference; the last one that runs is the best. */
extern const dm_exact_variant dm_exact_variants[];
extern const size_t dm_exact_variant_count;

/* The best variant that this machine runs. Asks the processor: for setup. */
const dm_exact_variant *dm_exact_best(void);

/* The variant of that name, or NULL. */
const dm_exact_variant *dm_exact_find(const char *name);

typedef struct dm_exact dm_exact;
typedef struct dm_exact_scratch dm_exact_scratch;

/* Makes an index of the rows in use (a row whose slot is DM_SLOT_NONE is never found). The rows stay where they are; an
 * index without codes is a few bytes. The machine must run the variant. DM_ERROR_MEMORY, or DM_ERROR_ARGUMENT for a
 * row whose norm a scan of float32 cannot take; *index is NULL then. */
int32_t dm_exact_create(const dm_exact_variant *variant, const dm_rows *rows, dm_similarity similarity,
                        size_t placement, dm_memory *account, dm_exact **index, char *error, size_t error_size);
/* Accepts NULL. The same account as at the making. */
void dm_exact_destroy(dm_exact *index, dm_memory *account);

/* What one thread needs to search this index. DM_ERROR_MEMORY; *scratch is NULL then. */
int32_t dm_exact_scratch_create(const dm_exact *index, dm_memory *account, dm_exact_scratch **scratch, char *error,
                                size_t error_size);
void dm_exact_scratch_destroy(dm_exact_scratch *scratch, dm_memory *account);

enum { DM_EXACT_K_MAX = 100 };

/* The min(k, rows in use) best rows, best first; returns how many. query: dim finite floats at any address. k: 1 to
 * DM_EXACT_K_MAX. Neither allocates nor fails. A query or row whose norm counts as zero has cosine 0; inner products
 * are those of the values, whatever their norms. */
uint32_t dm_exact_search(const dm_exact *index, dm_exact_scratch *scratch, const float *query, uint32_t k,
                         dm_neighbour *neighbours);

/* Rows rescored by the last search with this scratch. */
uint32_t dm_exact_rescored(const dm_exact_scratch *scratch);

#endif
